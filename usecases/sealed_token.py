"""Tokens for one purpose: encrypted, authenticated, and without an end.

Each purpose has a key of its own, derived from NOTIFIER_SECRET (HKDF, RFC 5869); old secrets open what they
sealed. A token is AES-256-GCM over JSON, so it is not a JWT, and never good as a user token.
"""

import base64
import binascii
import os
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from notifier.core.errors import NotFound
from notifier.settings import Settings

UNSUBSCRIBE, PUSH_READ = "unsubscribe", "push-read"
NONCE_BYTES = 12
MAX_TOKEN = 4_096  # characters
MAX_PAYLOAD = 65_536  # bytes, inflated


class SealedTokens:
    """Seals and opens tokens for one purpose.

    Args:
        purpose: its name.
        secrets: the present secret first, then old ones.
    """

    def __init__(self, purpose: str, secrets: Sequence[str]) -> None:
        self._purpose = purpose.encode()
        self._keys = [AESGCM(_derived(secret, purpose)) for secret in secrets]

    @classmethod
    def from_settings(cls, purpose: str, settings: Settings) -> "SealedTokens":
        """Return an instance made from the settings. Raises SettingError."""
        old = [secret.get_secret_value() for secret in settings.old_secrets]
        return cls(purpose, [settings.signing_secret(), *old])

    def seal(self, payload: dict[str, Any]) -> str:
        """Return a token that holds `payload`: letters, digits, `-` and `_`."""
        nonce = os.urandom(NONCE_BYTES)
        content = zlib.compress(orjson.dumps(payload), 9)
        sealed = nonce + self._keys[0].encrypt(nonce, content, self._purpose)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, token: str) -> dict[str, Any]:
        """Return what a token holds. Raises NotFound when it is not one of ours for this purpose."""
        if len(token) <= MAX_TOKEN and token.isascii():
            try:
                sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            except (binascii.Error, ValueError):
                sealed = b""
            if len(sealed) > NONCE_BYTES:
                for key in self._keys:
                    try:
                        content = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._purpose)
                    except InvalidTag:
                        continue
                    payload: dict[str, Any] = orjson.loads(
                        zlib.decompressobj().decompress(content, MAX_PAYLOAD)
                    )
                    return payload
        raise NotFound("this link is not valid")


def _derived(secret: str, purpose: str) -> bytes:
    info = f"live-notifications {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
