"""One notification's story, for backends (docs/api.md)."""

from flask import Blueprint, Response

from models.store import timeline as store
from notifier.core import timeline as words
from notifier.core.diagnosis import summary
from notifier.core.draft import check_id
from notifier.core.errors import InvalidInput, NotFound
from notifier.outbox.types import now
from web.auth import backend
from web.body import query, write
from web.describe import describe
from web.runtime import current
from web.schemas import Timeline, TimelineQuery

blueprint = Blueprint("timeline", __name__, url_prefix="/api")


@blueprint.get("/notifications/<id>/timeline")
@backend("send", "report")
@describe({200: Timeline}, errors=(401, 403, 404, 422, 503), query=TimelineQuery)
def timeline(id: str) -> Response:
    """Tell what became of a notification, or of one user's copy of it, step by step, and why."""
    wanted = query(TimelineQuery)
    try:
        known = check_id(id)
    except InvalidInput:
        raise NotFound("there is no such notification") from None
    runtime, at = current(), now()
    with runtime.database.read() as connection:
        found = store.story(connection, known, wanted.user_id, now=at)
        if found is None:
            raise NotFound("there is no such notification" + (" for this user" if wanted.user_id else ""))
        copies = (
            []
            if found.user_id
            else store.copies(connection, known, limit=wanted.limit + 1, after=wanted.after)
        )
    broker = runtime.broker_answers() if found.status == "accepted" else None
    page = copies[: wanted.limit]
    return write(
        words.as_json(found, at, summary(found, at, broker))
        | {
            "items": [words.copy_json(copy) for copy in page],
            "next": page[-1].user_id if len(copies) > len(page) else None,
        }
    )
