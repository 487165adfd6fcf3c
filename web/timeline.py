"""One notification's timeline, for backends (docs/api.md)."""

from flask import Blueprint, Response

from usecases.explain import explain
from web.auth import backend
from web.body import query, write
from web.describe import describe
from web.runtime import current
from web.schemas.notifications import Timeline, TimelineQuery

blueprint = Blueprint("timeline", __name__, url_prefix="/api")


@blueprint.get("/notifications/<id>/timeline")
@backend("send", "report")
@describe({200: Timeline}, errors=(401, 403, 404, 422, 503), query=TimelineQuery)
def timeline(id: str) -> Response:
    """Explain what happened to a notification, or to one user's copy of it, step by step."""
    wanted, runtime = query(TimelineQuery), current()
    explanation = explain(
        runtime.database, id, wanted.user_id,
        broker_answers=runtime.broker_answers, limit=wanted.limit, after=wanted.after,
    )  # fmt: skip
    return write(explanation.json())
