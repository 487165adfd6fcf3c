"""The users' API: the inbox, page by page, and the changes of its entries' state."""

from collections.abc import Sequence

from flask import Blueprint, Response, g

from notifier.core import frames
from notifier.core.log import ARCHIVED, READ, SEEN, SNOOZE, UNREAD, UNSNOOZE
from usecases.change_entries import change_entries
from usecases.inbox_page import inbox_page
from web.auth import user
from web.body import USER_BODY, query, read, write
from web.describe import describe
from web.runtime import current
from web.schemas.inbox import IdsBody, InboxPage, PageQuery, ReadBody, SeenBody, SnoozeBody, State

blueprint = Blueprint("inbox", __name__, url_prefix="/api/inbox")

_ERRORS = (400, 401, 403, 408, 413, 422, 503)


@blueprint.get("")
@user
@describe({200: InboxPage}, errors=(401, 403, 422, 503), query=PageQuery)
def page() -> Response:
    """Return a page of the inbox, newest first, by keyset instead of offset."""
    wanted = query(PageQuery)
    found = inbox_page(current().database, g.user_id, wanted.status, limit=wanted.limit, before=wanted.before)
    return write(
        {
            "items": [frames.item_json(item) for item in found.items],
            "next": found.next,
            "seq": found.seq,
            "unread": found.unread,
            "badges": found.badges,
            "seen": found.seen,
            "unseen": found.unseen,
        }
    )


@blueprint.post("/read")
@user
@describe({200: State}, errors=_ERRORS, request=ReadBody)
def mark_read() -> Response:
    """Mark entries as read."""
    body = read(ReadBody, USER_BODY)
    if body.through is not None:
        return _change(READ, through=body.through)
    return _change(READ, ids=body.ids or ())


@blueprint.post("/unread")
@user
@describe({200: State}, errors=_ERRORS, request=IdsBody)
def mark_unread() -> Response:
    """Mark entries as unread; archived ones return to the inbox."""
    return _change(UNREAD, ids=read(IdsBody, USER_BODY).ids)


@blueprint.post("/archive")
@user
@describe({200: State}, errors=_ERRORS, request=IdsBody)
def archive() -> Response:
    """Put entries into the archive; they count as read."""
    return _change(ARCHIVED, ids=read(IdsBody, USER_BODY).ids)


@blueprint.post("/seen")
@user
@describe({200: State}, errors=_ERRORS, request=SeenBody)
def mark_seen() -> Response:
    """Note what was on the screen; this says nothing of read."""
    return _change(SEEN, through=read(SeenBody, USER_BODY).through)


@blueprint.post("/snooze")
@user
@describe({200: State}, errors=_ERRORS, request=SnoozeBody)
def snooze() -> Response:
    """Take entries out of the inbox until a time; then they come back unread."""
    body = read(SnoozeBody, USER_BODY)
    return _change(SNOOZE, ids=body.ids, until=body.until)


@blueprint.post("/unsnooze")
@user
@describe({200: State}, errors=_ERRORS, request=IdsBody)
def unsnooze() -> Response:
    """Bring snoozed entries back now."""
    return _change(UNSNOOZE, ids=read(IdsBody, USER_BODY).ids)


def _change(
    op: str, *, ids: Sequence[str] = (), through: int | None = None, until: int | None = None
) -> Response:
    runtime = current()
    with runtime.gateway.services.changes.turn(g.user_id):
        changed = change_entries(
            runtime.database, runtime.local_first, g.user_id, op, ids=ids, through=through, until=until
        )
    return write({"seq": changed.seq, "unread": changed.unread})
