"""The users' API: the inbox, page by page, and the changes of its entries' state."""

from typing import Annotated

from flask import Blueprint, Response, g
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.store import log
from notifier import frames
from notifier.frames import Ids, Seq
from notifier.log import ARCHIVED, READ, UNREAD, Status
from web.auth import user
from web.body import query, read, write
from web.runtime import current

blueprint = Blueprint("inbox", __name__, url_prefix="/api/inbox")

MAX_PAGE = 200


class PageQuery(BaseModel):
    """Which page of the inbox."""

    model_config = ConfigDict(extra="forbid", title="PageQuery")

    status: Status = Status.ALL
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class IdsBody(BaseModel):
    """Which entries to change."""

    model_config = ConfigDict(extra="forbid", title="ChangeIds")

    ids: Ids


class ReadBody(BaseModel):
    """Which entries to mark as read: some, or all up to a seq."""

    model_config = ConfigDict(extra="forbid", title="Read")

    ids: Ids | None = None
    through: Seq | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "ReadBody":
        if (self.ids is None) == (self.through is None):
            raise ValueError("give exactly one of ids and through")
        return self


@blueprint.get("")
@user
def page() -> Response:
    """A page of the inbox, newest first; keyset, never offset."""
    wanted = query(PageQuery)
    with current().database.read() as connection:
        items, head = log.page(connection, g.user_id, wanted.status, wanted.limit + 1, wanted.before)
        badges = log.badge_counts(connection, g.user_id)
    more = len(items) > wanted.limit
    items = items[: wanted.limit]
    return write(
        {
            "items": [frames.item_json(item) for item in items],
            "next": items[-1].seq if more else None,
            "seq": head.seq if head else 0,
            "unread": head.unread if head else 0,
            "badges": badges,
        }
    )


@blueprint.post("/read")
@user
def mark_read() -> Response:
    """Mark entries as read."""
    body = read(ReadBody)
    if body.through is not None:
        return _change(READ, through=body.through)
    return _change(READ, ids=body.ids)


@blueprint.post("/unread")
@user
def mark_unread() -> Response:
    """Mark entries as unread; archived ones come back into the inbox."""
    return _change(UNREAD, ids=read(IdsBody).ids)


@blueprint.post("/archive")
@user
def archive() -> Response:
    """Put entries into the archive; they count as read."""
    return _change(ARCHIVED, ids=read(IdsBody).ids)


def _change(op: str, *, ids: list[str] | None = None, through: int | None = None) -> Response:
    changed = current().gateway.change(g.user_id, op, ids=ids, through=through)
    return write({"seq": changed.seq, "unread": changed.unread})
