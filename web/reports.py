"""The reports, for backends: the same rows as `notifier report` prints (docs/reporting.md)."""

import base64
import binascii
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

import orjson
from flask import Blueprint, Response, request
from pydantic import AwareDatetime, StringConstraints, TypeAdapter, ValidationError

from models.store import reports
from models.store.reports import Cursor, ReportPage
from notifier.core.errors import InvalidInput
from usecases import support
from web.auth import backend
from web.body import query, write
from web.describe import describe
from web.runtime import current
from web.schemas.reports import DailyReport, DaysQuery, DevicesReport, NotificationsReport, ReportQuery
from web.schemas.user_report import UserReport, UserReportQuery, person_json

blueprint = Blueprint("reports", __name__, url_prefix="/api/reports")

_ERRORS = (401, 403, 422, 503)
_Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
_AFTER_NOTIFICATION: TypeAdapter[Cursor] = TypeAdapter(tuple[AwareDatetime, UUID])
_AFTER_DEVICE: TypeAdapter[Cursor] = TypeAdapter(tuple[_Text, _Text])


@blueprint.get("/daily")
@backend("report")
@describe({200: DailyReport}, errors=_ERRORS, query=DaysQuery)
def daily() -> Response:
    """Return sent, delivered and read by day, event and type, oldest day first."""
    wanted = query(DaysQuery)
    with current().database.read() as connection:
        rows = reports.daily(connection, wanted.since, wanted.until)
    return write([reports.plain(row) for row in rows])


@blueprint.get("/notifications")
@backend("report")
@describe({200: NotificationsReport}, errors=_ERRORS, query=ReportQuery)
def notifications() -> Response:
    """Return each notification with its counts, newest first."""
    wanted = query(ReportQuery)
    after = _after(_AFTER_NOTIFICATION, wanted.cursor)
    if after is not None:
        after = after[0], str(after[1])
    with current().database.read() as connection:
        page = reports.notifications(connection, wanted.since, wanted.until, limit=wanted.limit, after=after)
    return _answer(page)


@blueprint.get("/devices")
@backend("report")
@describe({200: DevicesReport}, errors=_ERRORS, query=ReportQuery)
def devices() -> Response:
    """Return each user's devices, and how far they are behind."""
    wanted = query(ReportQuery)
    after = _after(_AFTER_DEVICE, wanted.cursor)
    with current().database.read() as connection:
        page = reports.devices(connection, wanted.since, wanted.until, limit=wanted.limit, after=after)
    return _answer(page)


@blueprint.get("/users")
@backend("report")
@describe({200: UserReport}, errors=(401, 403, 404, 422, 503), query=UserReportQuery)
def users() -> Response:
    """Return the facts about a user, and the last entries with state and reason, newest first."""
    wanted = query(UserReportQuery)
    found = support.person(current().database, wanted.user_id, limit=wanted.limit, before=wanted.before)
    return write(person_json(found))


def _answer(page: ReportPage) -> Response:
    """Return a page as JSON, with a Link header (RFC 8288) to the next one."""
    response = write([reports.plain(row) for row in page.rows])
    if page.next is not None:
        cursor = base64.urlsafe_b64encode(orjson.dumps(page.next)).decode()
        given = request.args.to_dict() | {"cursor": cursor}
        response.headers["Link"] = f'<{request.script_root}{request.path}?{urlencode(given)}>; rel="next"'
    return response


def _after(kind: TypeAdapter[Cursor], cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        return kind.validate_json(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValidationError, ValueError):
        raise InvalidInput(problems=[{"loc": ["cursor"], "msg": "is not a valid cursor"}]) from None
