"""The backends' API: send a notification, ask after one, set a badge (the contract, section 5)."""

from typing import Annotated, Any

from flask import Blueprint, Response, request, url_for
from pydantic import BaseModel, ConfigDict, Field

from models.store import status
from models.types import milliseconds
from notifier.draft import check_id, draft
from notifier.errors import InvalidInput, NotFound
from web.auth import backend
from web.body import read, write
from web.runtime import current

blueprint = Blueprint("api", __name__, url_prefix="/api")


class SendBody(BaseModel):
    """A notification to send: exactly one of `user_id` and `user_ids`."""

    model_config = ConfigDict(extra="forbid", title="Send")

    user_id: Annotated[Any, Field(description="one recipient: a string of 1-128 characters")] = None
    user_ids: Annotated[Any, Field(description="1-10,000 recipients; doubles count once")] = None
    event: Annotated[Any, Field(description="the event's name")] = "alert"
    data: Annotated[Any, Field(description="what the event's schema allows")] = None
    id: Annotated[Any, Field(description="a UUID of the caller's own")] = None


class BadgeBody(BaseModel):
    """A badge to set."""

    model_config = ConfigDict(extra="forbid", title="SetBadge")

    user_id: Any = None
    type: Any = None
    count: Any = None


@blueprint.post("/notifications")
@backend
def send() -> Response:
    """Accept a notification: durable once this answers 202."""
    body = read(SendBody)
    what = draft(**{name: getattr(body, name) for name in SendBody.model_fields})
    accepted = current().sender.send(what, key=_key())
    response = write({"id": accepted.id, "status": "accepted", "recipients": accepted.recipients}, 202)
    response.headers["Location"] = url_for("api.show", id=accepted.id)
    if accepted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


@blueprint.get("/notifications/<id>")
@backend
def show(id: str) -> Response:
    """Tell what became of a notification."""
    try:
        known_id = check_id(id)
    except InvalidInput:
        raise NotFound("there is no such notification") from None
    with current().database.read() as connection:
        found = status.status(connection, known_id)
    if found is None:
        raise NotFound("there is no such notification")
    return write(
        {
            "id": found.id,
            "event": found.event,
            "data": found.data,
            "status": found.status,
            "accepted_at": milliseconds(found.accepted_at),
            "recipients": found.recipients,
            "delivered": found.delivered,
            "read": found.read,
        }
    )


@blueprint.post("/badges")
@backend
def badge() -> Response:
    """Accept a badge: durable once this answers 202."""
    body = read(BadgeBody)
    what = draft(user_id=body.user_id, event="badge", data={"type": body.type, "count": body.count})
    accepted = current().sender.send(what, key=_key())
    response = write({"id": accepted.id, "status": "accepted"}, 202)
    response.headers["Location"] = url_for("api.show", id=accepted.id)
    if accepted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _key() -> str | None:
    return request.headers.get("Idempotency-Key")
