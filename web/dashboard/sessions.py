"""Sessions of the dashboard: a signed cookie that identifies the API key without containing it.

The cookie also names a session, which ends at sign-out; a copy of the cookie is refused from then on. This
module also checks from which site a request comes.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from itsdangerous import BadData, URLSafeTimedSerializer

from models.store import ended_sessions
from notifier.core.errors import Forbidden
from notifier.core.keys import ApiKey, Scope
from notifier.outbox.types import now
from web.runtime import WebRuntime, current

COOKIE = "notifier_reports"
PATH = "/reports"
LIFETIME = 12 * 3600  # seconds
SALT = "notifier.reports"  # so that nothing else that we sign is a session

View = Callable[..., ResponseReturnValue]


def sign_in(response: Response, given: str) -> bool:
    """Put a session into `response` if `given` is an API key that may see reports; return whether it is."""
    runtime = current()
    runtime.wrong_sign_ins.check(request.remote_addr)
    key = runtime.keys.find(given)
    if key is None or "report" not in key.scopes:
        runtime.wrong_sign_ins.wrong(request.remote_addr)
        return False
    value = _serializer(runtime).dumps([_mark(runtime, key), secrets.token_urlsafe(16)])
    response.set_cookie(
        COOKIE, value, max_age=LIFETIME, path=_path(),
        secure=request.is_secure, httponly=True, samesite="Strict",
    )  # fmt: skip
    return True


def sign_out(response: Response) -> None:
    """End the session, and delete its cookie."""
    if (found := _read()) is not None:
        present = now()
        until = present + timedelta(seconds=LIFETIME)
        with current().database.write() as connection:
            ended_sessions.end(connection, _hash(found[1]), until=until, now=present)
    response.delete_cookie(COOKIE, path=_path(), secure=request.is_secure, httponly=True, samesite="Strict")


def signed_in() -> ApiKey | None:
    """Return the key of the request's session; None without one, if it has ended, or if the key is gone.

    Raises DatabaseUnavailable when it is unknown whether it has ended.
    """
    runtime, found = current(), _read()
    if found is None:
        return None
    mark, session = found
    keys = [key for key in runtime.keys if "report" in key.scopes]
    key = next((key for key in keys if hmac.compare_digest(mark, _mark(runtime, key))), None)
    if key is None:
        return None
    with runtime.database.read() as connection:
        return None if ended_sessions.has_ended(connection, _hash(session)) else key


def operator(*scopes: Scope) -> Callable[[View], View]:
    """Allow only sessions whose key has all these scopes to see a view; set `g.key`.

    Others are redirected to the sign-in; 403 with a key of other scopes.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            key = signed_in()
            if key is None:
                return redirect(url_for("dashboard.enter"), 303)
            if not key.scopes.issuperset(scopes):
                raise Forbidden(f"this API key lacks the scope {' or '.join(scopes)}")
            g.key = key
            return view(*args, **kwargs)

        checked.access = "operator"  # type: ignore[attr-defined]
        return checked

    return guard


def from_our_page() -> None:
    """Raise Forbidden unless one of our forms sent this request.

    Browsers send the origin with every POST (Fetch, section 3.1); the cookie's SameSite=Strict is a second
    check.
    """
    site = request.headers.get("Sec-Fetch-Site")
    try:
        origin = urlsplit(request.headers.get("Origin", "")).netloc
    except ValueError:  # no address, like http://[
        origin = ""
    if site not in (None, "same-origin") or origin.lower() != request.host.lower():
        raise Forbidden("only a page of this site may do that")


def _read() -> tuple[str, str] | None:
    """Return the cookie's content, a key's mark and a session; None if we have not signed it."""
    try:
        value = _serializer(current()).loads(request.cookies.get(COOKIE, ""), max_age=LIFETIME)
    except BadData:
        return None
    match value:
        case [str() as mark, str() as session]:
            return mark, session
    return None  # from a version without sessions that end


def _hash(session: str) -> str:
    """Return a session's hash for the database: a copy of the table cannot be used to sign in."""
    return sha256(session.encode()).hexdigest()


def _path() -> str:
    """Return the path below which browsers send the cookie."""
    return f"{request.script_root}{PATH}"


def _serializer(runtime: WebRuntime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        runtime.settings.signing_secret(), salt=SALT, signer_kwargs={"digest_method": sha256}
    )


def _mark(runtime: WebRuntime, key: ApiKey) -> str:
    """Return a mark that identifies a key without containing it; the cookie's signature protects it."""
    secret = runtime.settings.signing_secret().encode()
    return hmac.new(secret, f"{SALT} {key.secret}".encode(), sha256).hexdigest()
