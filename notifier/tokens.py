"""User tokens: JWT (RFC 7519), HS256, with the user's id as `sub` and a required `exp`."""

import time

import jwt

from notifier.errors import InvalidInput, Unauthenticated
from notifier.events import check_user_id
from notifier.session import Principal

ALGORITHM = "HS256"
DEFAULT_TTL = 3_600  # seconds


class Tokens:
    """Mints and verifies user tokens with one secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def mint(self, user_id: str, ttl: int = DEFAULT_TTL) -> str:
        """Return a token that speaks for `user_id` for `ttl` seconds. Raises InvalidInput."""
        now = int(time.time())
        claims = {"sub": check_user_id(user_id), "iat": now, "exp": now + ttl}
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> Principal:
        """Return who `token` speaks for, and until when (seconds since 1970).

        Raises Unauthenticated when it is malformed, of another secret or algorithm, ended, or
        without `sub` or `exp`.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "exp"], "verify_iat": False},
            )
            return Principal(check_user_id(claims["sub"]), float(claims["exp"]))
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has ended") from None
        except (jwt.InvalidTokenError, InvalidInput, ValueError, OverflowError):
            raise Unauthenticated("the token is not valid") from None
