"""VAPID: how this service identifies itself to push services (RFC 8292).

Web shows the public key to browsers, the worker signs with the private one.
"""

import base64
import contextlib
import os
import secrets
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from notifier.core.errors import SettingError
from notifier.private import make_folder
from notifier.settings import PREFIX, Settings

LIFE = 12 * 3_600  # seconds; RFC 8292, section 2: 24 hours at most
RENEW = 3_600  # seconds before its end that a token is replaced
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256's group


class Vapid:
    """The key pair, and tokens for push services.

    Args:
        key: on the curve P-256.
        subject: whom a push service may write to: `mailto:…` or `https://…`.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, subject: str) -> None:
        self._key = key
        self._subject = subject
        self._tokens: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64url(point)

    @classmethod
    def from_settings(cls, settings: Settings) -> "Vapid | None":
        """Return an instance made from the settings; None: push is not set up. Raises SettingError."""
        given = settings.vapid_key.get_secret_value() if settings.vapid_key else None
        if given is None and not settings.embedded:
            return None
        subject = settings.push_subject
        if subject is None:
            raise SettingError(
                f"{PREFIX}VAPID_SUBJECT: is required for push (mailto:… or https://…), "
                f"or {PREFIX}MAIL_FROM or {PREFIX}PUBLIC_URL"
            )
        return cls(_read(given) if given is not None else _kept(settings.var_dir / "vapid-key"), subject)

    def authorization(self, endpoint: str) -> str:
        """Return the header `Authorization` for an endpoint."""
        parts = urlsplit(endpoint)
        origin = f"{parts.scheme}://{parts.netloc}"
        now = time.time()
        with self._lock:
            until, token = self._tokens.get(origin, (0.0, ""))
            if until < now + RENEW:
                until = now + LIFE
                claims = {"aud": origin, "exp": int(until), "sub": self._subject}
                token = jwt.encode(claims, self._key, algorithm="ES256")
                self._tokens[origin] = (until, token)
        return f"vapid t={token}, k={self.public_key}"


def base64url(content: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Return what base64url text holds, with padding or without. Raises ValueError."""
    if not text.isascii():
        raise ValueError("is not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read(text: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of NOTIFIER_VAPID_KEY: PEM, or its private number in base64url."""
    try:
        if "BEGIN" in text:
            # In an environment variable line breaks are often written as \n.
            key = load_pem_private_key(text.replace("\\n", "\n").encode(), None)
        else:
            number = int.from_bytes(from_base64url(text.strip()))
            if not 0 < number < ORDER:
                raise ValueError("is not a number of P-256")
            key = ec.derive_private_key(number, ec.SECP256R1())
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SettingError(f"{PREFIX}VAPID_KEY: must be a private key on P-256, as PEM or base64url")
    return key


def _kept(path: Path) -> ec.EllipticCurvePrivateKey:
    """Return the key in a file, which is made on first use, mode 0600."""
    make_folder(path.parent)
    if not path.exists():
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)  # atomic: of two processes that start at once, one wins
        fresh.unlink()
    return _read(path.read_text())
