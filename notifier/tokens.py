"""User tokens: JWT (RFC 7519) with the user's id as `sub` and a required `exp`.

Signed by ourselves (HS256), or by an identity provider whose public keys are known. The key
determines the algorithm, never the token alone (RFC 8725, section 3.1).
"""

import base64
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import jwt
from jwt import PyJWK

from notifier.core.checks import check_user_id
from notifier.core.errors import InvalidInput, Unauthenticated, WrongCredentials
from notifier.core.session import Principal
from notifier.settings import Settings

ALGORITHM = "HS256"
DEFAULT_TTL = 3_600  # seconds
#: How far an issuer's clock may be ahead of ours. Beyond that a token is refused: one issued tomorrow would
#: outlive the revocations of today.
MAX_AHEAD = 60.0  # seconds


def _prepared(secret: str) -> PyJWK:
    """Return a secret as a key (RFC 7518, section 6.4)."""
    octets = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    return PyJWK.from_dict({"kty": "oct", "k": octets, "alg": ALGORITHM})


def _as_decode_takes_it(key: PyJWK) -> tuple[Any, str]:
    """Return a key and its algorithm. PyJWT before 2.10, as in an application, has no object with both.

    Only the service has keys of an identity provider, and it pins a later version.
    """
    if hasattr(key, "algorithm_name"):
        return key, key.algorithm_name
    return key.key, ALGORITHM


class PublicKeys(Protocol):
    """The public keys of an identity provider."""

    def find(self, kid: str | None) -> list[PyJWK]:
        """Return the keys that may have signed a token: those with that id; without an id, all."""


def _never(_user_id: str) -> float:
    return float("-inf")


class Tokens:
    """Mints and verifies user tokens.

    Args:
        secret: signs, and verifies.
        old_secrets: verify only, so that a secret can be changed while its tokens are valid.
        jwks: the identity provider's keys.
        leeway: seconds for which a token is valid after its `exp`, and before its `nbf`.
        issuer: what `iss` must be; None: anything.
        audience: one of these must be in `aud`; empty: there must be no `aud`.
        revoked_at: returns until when (seconds since 1970) the tokens issued to a user are revoked.
    """

    def __init__(
        self,
        secret: str,
        *,
        old_secrets: Sequence[str] = (),
        jwks: PublicKeys | None = None,
        leeway: float = 0.0,
        issuer: str | None = None,
        audience: Sequence[str] = (),
        revoked_at: Callable[[str], float] = _never,
    ) -> None:
        self._secret = secret
        # Prepared once: PyJWT would check for every token whether each secret is a PEM.
        self._own = [_prepared(known) for known in (secret, *old_secrets)]
        self.jwks = jwks
        self._leeway = leeway
        self._issuer = issuer
        self._audience = list(audience)
        self._revoked_at = revoked_at

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        jwks: PublicKeys | None = None,
        revoked_at: Callable[[str], float] = _never,
    ) -> "Tokens":
        """Return an instance for the settings. Raises SettingError."""
        return cls(
            settings.signing_secret(),
            old_secrets=[old.get_secret_value() for old in settings.old_secrets],
            jwks=jwks,
            leeway=settings.token_leeway,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
            revoked_at=revoked_at,
        )

    def mint(self, user_id: str, ttl: int = DEFAULT_TTL) -> str:
        """Return a token for `user_id`, valid for `ttl` seconds. Raises InvalidInput."""
        now = time.time()
        # With fractions of a second (RFC 7519, section 2: NumericDate), so that a token minted right after a
        # revocation is newer than it.
        claims: dict[str, Any] = {"sub": check_user_id(user_id), "iat": now, "exp": int(now) + ttl}
        if self._issuer is not None:
            claims["iss"] = self._issuer
        if self._audience:
            claims["aud"] = self._audience[0]
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Return the user of `token`, since when and until when it is valid (seconds since 1970).

        Raises WrongCredentials when it is malformed, of another key or algorithm, or without `sub` or
        `exp`; Unauthenticated when it has expired or is revoked; Unavailable when it is unknown whether it is
        revoked.
        """
        try:
            principal = self._principal(self._claims(token))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except (jwt.PyJWTError, InvalidInput, ValueError, TypeError, OverflowError):
            raise WrongCredentials("the token is not valid") from None
        if principal.issued_at < self._revoked_at(principal.user_id):
            raise Unauthenticated("the token is revoked")
        return principal

    def _claims(self, token: str) -> dict[str, Any]:
        # Without an identity provider there is no choice, so the header need not be read twice.
        keys = self._own if self.jwks is None else self._candidates(jwt.get_unverified_header(token))
        for key in keys:
            material, algorithm = _as_decode_takes_it(key)
            try:
                return jwt.decode(
                    token,
                    material,
                    algorithms=[algorithm],
                    options={"require": ["sub", "exp"], "verify_iat": False},
                    leeway=self._leeway,
                    issuer=self._issuer,
                    audience=self._audience or None,
                )
            except jwt.InvalidSignatureError:
                continue  # the next key
        raise jwt.InvalidSignatureError

    def _candidates(self, header: dict[str, Any]) -> Iterator[PyJWK]:
        """Yield the keys that may have signed it; each is for one algorithm."""
        if header.get("alg") == ALGORITHM:
            yield from self._own
        elif self.jwks is not None:
            for key in self.jwks.find(header.get("kid")):
                if key.algorithm_name == header.get("alg"):
                    yield key

    def _principal(self, claims: dict[str, Any]) -> Principal:
        issued_at = float(claims.get("iat", 0))  # without iat a token is older than any revocation
        if not math.isfinite(issued_at):
            raise ValueError("iat is not a number")
        now = time.time()
        if issued_at > now + self._leeway + MAX_AHEAD:
            raise Unauthenticated("the token is issued in the future")
        issued_at = min(issued_at, now)
        return Principal(check_user_id(claims["sub"]), float(claims["exp"]) + self._leeway, issued_at)
