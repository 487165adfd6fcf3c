"""User tokens of docs/contract.md, section 5 (HS256, `sub` and `exp`), and wrong ones of every kind."""

from __future__ import annotations

import time

import jwt

WRONG_SECRET = "a-secret-of-somebody-else-entirely-0123456789"
HOUR = 3600.0


def user_token(user_id: str, secret: str, *, ttl: float = HOUR) -> str:
    """Return a valid token; with a negative `ttl` (seconds) an expired one."""
    return jwt.encode({"sub": user_id, "exp": int(time.time() + ttl)}, secret, algorithm="HS256")


def wrong_tokens(user_id: str, secret: str) -> dict[str, str]:
    """Return tokens that must be refused, each by the name of its fault."""
    end = int(time.time() + HOUR)
    good = {"sub": user_id, "exp": end}
    return {
        "no token at all": "",
        "not a JWT": "not-a-token",
        "ended": jwt.encode({"sub": user_id, "exp": end - 7200}, secret, algorithm="HS256"),
        "without exp": jwt.encode({"sub": user_id}, secret, algorithm="HS256"),
        "without sub": jwt.encode({"exp": end}, secret, algorithm="HS256"),
        "empty sub": jwt.encode({"sub": "", "exp": end}, secret, algorithm="HS256"),
        "of another secret": jwt.encode(good, WRONG_SECRET, algorithm="HS256"),
        "unsigned": jwt.encode(good, None, algorithm="none"),
        "of another algorithm": jwt.encode(good, secret * 2, algorithm="HS512"),
        "cut short": jwt.encode(good, secret, algorithm="HS256")[:-6],
    }
