"""Authentication and authorization: API keys with scopes for backends, signed tokens for users."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from notifier.core.errors import Forbidden, Unauthenticated, WrongCredentials
from notifier.core.keys import SCOPES, ApiKey, Scope
from web.runtime import WebRuntime, current

P = ParamSpec("P")
T = TypeVar("T")


def _bearer() -> str:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not credentials.strip():
        raise Unauthenticated("send Authorization: Bearer …")
    return credentials.strip()


def _counted(runtime: WebRuntime, key: ApiKey | None, fault: str) -> ApiKey:
    """Return the API key that was found.

    Raises WrongCredentials(fault) when there is none, and OverLimit after too many of these from the address.
    """
    runtime.wrong.check(request.remote_addr, key.secret if key else None)
    if key is None:
        runtime.wrong.wrong(request.remote_addr)
        raise WrongCredentials(fault)
    runtime.wrong.right(request.remote_addr, key.secret)
    return key


def _is_token(runtime: WebRuntime, credentials: str) -> bool:
    try:
        runtime.tokens.verify(credentials)
    except WrongCredentials:
        return False
    return True


def backend(*scopes: Scope) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Allow only backends whose key has one of `scopes` to call a view; set `g.key`.

    401 without a valid key; 403 with a key of other scopes, and with a user's token; 429 for a POST
    over the key's limit.
    """
    if not scopes or not SCOPES.issuperset(scopes):
        raise TypeError(f"say which scopes may call it: some of {sorted(SCOPES)}")

    def guard(view: Callable[P, T]) -> Callable[P, T]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> T:
            runtime, credentials = current(), _bearer()
            key = runtime.keys.find(credentials)
            if key is None and _is_token(runtime, credentials):
                raise Forbidden("a user's token does not give this right")
            key = _counted(runtime, key, "the API key is not valid")
            if key.scopes.isdisjoint(scopes):
                raise Forbidden(f"this API key lacks the scope {' or '.join(scopes)}")
            g.key = key
            if request.method != "GET":
                runtime.posts.take(key.secret)
            return view(*args, **kwargs)

        checked.access = "backend"  # type: ignore[attr-defined]
        checked.scopes = scopes  # type: ignore[attr-defined]
        return checked

    return guard


def user(view: Callable[P, T]) -> Callable[P, T]:
    """Allow only users to call `view`; set `g.user_id`, and `g.issued_at` (seconds since 1970).

    401 without a valid token, 403 with an API key.
    """

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        runtime, credentials = current(), _bearer()
        try:
            principal = runtime.tokens.verify(credentials)
        except WrongCredentials as exc:
            _counted(runtime, runtime.keys.find(credentials), exc.detail)
            raise Forbidden("an API key does not speak for a user") from None
        g.user_id, g.issued_at = principal.user_id, principal.issued_at
        runtime.calls.take(g.user_id)
        return view(*args, **kwargs)

    checked.access = "user"  # type: ignore[attr-defined]
    return checked
