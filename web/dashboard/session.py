"""Who is signed in: a signed cookie that names the key without holding it, and where requests come from."""

import hmac
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import ParamSpec
from urllib.parse import urlsplit

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, URLSafeTimedSerializer

from notifier.errors import Forbidden
from web.runtime import Runtime, current

COOKIE = "notifier_reports"
PATH = "/reports"
LIFETIME = 12 * 3600  # seconds
SALT = "notifier.reports"  # so that no other thing we sign is a session

P = ParamSpec("P")


def sign_in(response: Response, given: str) -> bool:
    """Put a session into `response` when `given` is one of the API keys; whether it is."""
    runtime = current()
    matches = [key for key in runtime.api_keys if hmac.compare_digest(given.encode(), key.encode())]
    if not matches:
        return False
    response.set_cookie(
        COOKIE, _serializer(runtime).dumps(_mark(runtime, matches[0])), max_age=LIFETIME, path=PATH,
        secure=request.is_secure, httponly=True, samesite="Strict",
    )  # fmt: skip
    return True


def sign_out(response: Response) -> None:
    """Take the session out of the browser."""
    response.delete_cookie(COOKIE, path=PATH, secure=request.is_secure, httponly=True, samesite="Strict")


def signed_in() -> bool:
    """Whether the request carries a session that has not ended, of a key that is still one of ours."""
    runtime = current()
    try:
        mark = _serializer(runtime).loads(request.cookies.get(COOKIE, ""), max_age=LIFETIME)
    except BadData:
        return False
    return isinstance(mark, str) and any(
        hmac.compare_digest(mark, _mark(runtime, key)) for key in runtime.api_keys
    )


def operator(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Let only who is signed in see `view`; everybody else is led to the sign-in."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not signed_in():
            return redirect(url_for("dashboard.enter"), 303)
        return view(*args, **kwargs)

    checked.access = "operator"  # type: ignore[attr-defined]
    return checked


def from_our_page() -> None:
    """Raise Forbidden unless a form of our own sent this request.

    Browsers say with every POST where it comes from (Fetch, section 3.1); a cookie that is SameSite=Strict
    says the same a second time.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin", "")
    if site not in (None, "same-origin") or urlsplit(origin).netloc.lower() != request.host.lower():
        raise Forbidden("only a page of this site may do that")


def _serializer(runtime: Runtime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        runtime.settings.signing_secret(), salt=SALT, signer_kwargs={"digest_method": sha256}
    )


def _mark(runtime: Runtime, key: str) -> str:
    """Names a key without telling it."""
    return hmac.new(runtime.settings.signing_secret().encode(), f"{SALT} {key}".encode(), sha256).hexdigest()
