"""Who may do what: API keys for backends, signed tokens for users."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from notifier.errors import Forbidden, Unauthenticated
from web.runtime import Runtime, current

P = ParamSpec("P")
T = TypeVar("T")


def _bearer() -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise Unauthenticated("send Authorization: Bearer …")
    return credentials.strip()


def _is_key(runtime: Runtime, credentials: str) -> bool:
    given = credentials.encode()
    # Each key is compared, in constant time, whichever matches.
    return sum([hmac.compare_digest(given, key.encode()) for key in runtime.api_keys]) > 0


def _is_token(runtime: Runtime, credentials: str) -> bool:
    try:
        runtime.tokens.verify(credentials)
    except Unauthenticated:
        return False
    return True


def backend(view: Callable[P, T]) -> Callable[P, T]:
    """Let only backends call `view`: 401 without a right key, 403 with a user's token."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        runtime, credentials = current(), _bearer()
        if not _is_key(runtime, credentials):
            if _is_token(runtime, credentials):
                raise Forbidden("a user's token does not give this right")
            raise Unauthenticated("the API key is not valid")
        return view(*args, **kwargs)

    checked.access = "backend"  # type: ignore[attr-defined]
    return checked


def user(view: Callable[P, T]) -> Callable[P, T]:
    """Let only users call `view`: 401 without a valid token, 403 with an API key; sets `g.user_id`."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        runtime, credentials = current(), _bearer()
        try:
            g.user_id = runtime.tokens.verify(credentials).user_id
        except Unauthenticated:
            if _is_key(runtime, credentials):
                raise Forbidden("an API key is no user") from None
            raise
        return view(*args, **kwargs)

    checked.access = "user"  # type: ignore[attr-defined]
    return checked
