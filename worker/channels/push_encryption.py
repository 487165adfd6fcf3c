"""Encrypt a push message for one browser (RFC 8291), with the content encoding aes128gcm (RFC 8188)."""

import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD_SIZE = 4_096
MAX_PLAINTEXT = (
    3_993  # bytes: push services take 4,096, of which 86 are the header, 16 the tag, 1 the end mark
)
LAST_RECORD = b"\x02"


def encrypt(
    plaintext: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    salt: bytes | None = None,
    own: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Return the body of the request.

    Args:
        plaintext: MAX_PLAINTEXT bytes at most.
        p256dh: the browser's public key, 65 bytes.
        auth: the browser's secret, 16 bytes.
        salt: 16 bytes; fresh ones by default.
        own: a key for this message only; a fresh one by default.

    Raises ValueError when a key is not one, or the text is too long.
    """
    if len(plaintext) > MAX_PLAINTEXT:
        raise ValueError(f"a push message has {MAX_PLAINTEXT} bytes at most")
    salt = os.urandom(16) if salt is None else salt
    own = ec.generate_private_key(ec.SECP256R1()) if own is None else own
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    own_point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = own.exchange(ec.ECDH(), theirs)
    keying = _hkdf(shared, salt=auth, info=b"WebPush: info\x00" + p256dh + own_point, length=32)
    key = _hkdf(keying, salt=salt, info=b"Content-Encoding: aes128gcm\x00", length=16)
    nonce = _hkdf(keying, salt=salt, info=b"Content-Encoding: nonce\x00", length=12)
    header = salt + RECORD_SIZE.to_bytes(4) + bytes([len(own_point)]) + own_point
    return header + AESGCM(key).encrypt(nonce, plaintext + LAST_RECORD, None)


def _hkdf(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(material)
