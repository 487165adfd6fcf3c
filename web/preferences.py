"""The API of preferences: users change their own, backends those of any user."""

import math
from collections.abc import Callable
from functools import wraps

from flask import Blueprint, Response, g, request

from notifier.core.checks import check_user_id
from notifier.core.errors import Forbidden
from usecases import preferences
from web.auth import backend, user
from web.body import USER_BODY, query, read, write
from web.describe import describe
from web.runtime import current
from web.schemas.recipients import Preferences, PreferencesBody, PreferencesQuery

blueprint = Blueprint("preferences", __name__, url_prefix="/api/preferences")


def user_or_admin(view: Callable[[], Response]) -> Callable[[], Response]:
    """Let users call `view` for themselves, and backends with the scope `admin` for any user."""
    as_user, as_backend = user(view), backend("admin")(view)

    @wraps(view)
    def checked() -> Response:
        runtime = current()
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        is_key = scheme.lower() == "bearer" and runtime.keys.find(credentials.strip()) is not None
        return as_backend() if is_key else as_user()

    checked.access = "user or backend"  # type: ignore[attr-defined]
    checked.scopes = ("admin",)  # type: ignore[attr-defined]
    return checked


def _whose(named: object) -> str:
    """Return the named user, or the token's. Raises InvalidInput, Forbidden."""
    if "user_id" not in g:
        return check_user_id(named)
    own: str = g.user_id
    if named not in (None, own):
        raise Forbidden("a user's token speaks for that user alone")
    return own


@blueprint.get("")
@user_or_admin
@describe({200: Preferences}, errors=(401, 403, 422, 503), query=PreferencesQuery)
def show() -> Response:
    """Return the effective preferences of a user."""
    return write(preferences.find(current().database, _whose(query(PreferencesQuery).user_id)))


@blueprint.patch("")
@user_or_admin
@describe({200: Preferences}, errors=(400, 401, 403, 408, 413, 422, 429, 503), request=PreferencesBody)
def change() -> Response:
    """Change any part of it; null takes a value away. Every client of the user is told."""
    asked = read(PreferencesBody, USER_BODY).model_dump(exclude_unset=True)
    user_id, runtime = _whose(asked.pop("user_id", None)), current()
    with runtime.gateway.services.changes.turn(user_id):
        told = preferences.change(
            runtime.database, runtime.local_first, user_id, asked, issued_at=g.get("issued_at", math.inf)
        )
    return write(told)
