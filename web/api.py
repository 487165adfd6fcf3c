"""The backends' API: send a notification, read its status, set a badge (docs/contract.md#5-http)."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, g, request

from notifier.core.batch import drafts
from notifier.core.draft import Draft, draft
from notifier.core.errors import InvalidInput
from notifier.outbox import accept
from notifier.outbox.types import milliseconds
from usecases import notifications, withdraw
from web.auth import backend
from web.body import check, read, write
from web.describe import describe
from web.runtime import current
from web.schemas.notifications import Notification
from web.schemas.sending import (
    IDEMPOTENCY_KEY,
    Accepted,
    BadgeAccepted,
    BadgeBody,
    BatchAccepted,
    BatchBody,
    BatchItem,
    SendBody,
    UpdateBody,
    Updated,
    Withdrawn,
)

blueprint = Blueprint("api", __name__, url_prefix="/api")


_BODY_ERRORS = (400, 401, 403, 408, 413, 422, 429, 503)
_KEY = {"Idempotency-Key": IDEMPOTENCY_KEY}


@blueprint.post("/notifications")
@backend("send")
@describe({202: Accepted}, errors=_BODY_ERRORS, request=SendBody, headers=_KEY)
def send() -> Response:
    """Accept a notification, which is durable when this answers 202."""
    body = read(SendBody)
    given = {name: getattr(body, name) for name in SendBody.model_fields}
    accepted = current().sender.send(draft(**given, sender=g.key.name, key=_key()))
    return _accepted(accepted, {"recipients": accepted.recipients})


@blueprint.get("/notifications/<not_batch:id>")
@backend("send", "report")
@describe({200: Notification}, errors=(401, 403, 404, 503))
def show(id: str) -> Response:
    """Return a notification's status."""
    found = notifications.find(current().database, id)
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
            "category": found.category,
            "deliver_at": _ms(found.deliver_at),
            "expires_at": _ms(found.expires_at),
            "version": found.version,
            "suppressed": found.suppressed,
            "channels": found.channels,
        }
    )


@blueprint.delete("/notifications/<not_batch:id>")
@backend("send", "admin")
@describe({200: Withdrawn}, errors=(401, 403, 404, 409, 429, 503))
def cancel(id: str) -> Response:
    """Cancel a notification that waits, or retract it from the inboxes that have it."""
    runtime = current()
    done = withdraw.cancel(runtime.database, runtime.local_first, runtime.waker, id, sender=_own())
    return write(
        {
            "id": done.id,
            "status": done.status,
            "recipients": done.recipients,
            "reached": done.reached,
            "in_flight": done.in_flight,
        }
    )


@blueprint.patch("/notifications/<not_batch:id>")
@backend("send", "admin")
@describe({200: Updated}, errors=(*_BODY_ERRORS, 404, 409), request=UpdateBody)
def update(id: str) -> Response:
    """Update a notification's data, also in inboxes that have it."""
    body, runtime = read(UpdateBody), current()
    done = withdraw.update(
        runtime.database,
        runtime.local_first,
        runtime.waker,
        id,
        body.data,
        version=body.version,
        sender=_own(),
    )
    return write({"id": done.id, "version": done.version})


@blueprint.post("/notifications/batch")
@backend("send")
@describe({202: BatchAccepted}, errors=_BODY_ERRORS, request=BatchBody)
def batch() -> Response:
    """Accept several notifications in one transaction; each is accepted or refused by itself."""
    if _key() is not None:
        problem = "a batch has none: give each notification its own idempotency_key"
        raise InvalidInput(problems=[{"loc": ["Idempotency-Key"], "msg": problem}])
    items = [_item(one) for one in read(BatchBody).notifications]
    made = iter(drafts([one for one in items if isinstance(one, dict)], sender=g.key.name))
    all_of_it = [next(made) if isinstance(one, dict) else one for one in items]
    good = [what for what in all_of_it if isinstance(what, Draft)]
    answers = iter(current().sender.send_batch(good) if good else ())
    results = [_result(next(answers) if isinstance(what, Draft) else what) for what in all_of_it]
    return write({"results": results}, 202)


_ITEM = BatchItem.model_fields.keys()


def _item(given: object) -> dict[str, Any] | InvalidInput:
    """Return one of a batch as `draft` takes it."""
    # The model knows only which fields there are, so it is asked only for its errors.
    if type(given) is not dict or "data" not in given or not given.keys() <= _ITEM:
        try:
            check(BatchItem, given)
        except InvalidInput as exc:
            return exc
    assert isinstance(given, dict)
    item = dict(given)
    item["key"] = item.pop("idempotency_key", None)
    return item


def _result(answer: accept.Accepted | Exception) -> dict[str, Any]:
    if isinstance(answer, InvalidInput):
        return {"status": "refused", "errors": answer.problems}
    assert isinstance(answer, accept.Accepted)
    return {"id": answer.id, "status": answer.status, "recipients": answer.recipients}


def _own() -> str | None:
    """Return the sender whose notifications the key may change; None: every sender's."""
    return None if "admin" in g.key.scopes else str(g.key.name)


@blueprint.post("/badges")
@backend("send")
@describe({202: BadgeAccepted}, errors=_BODY_ERRORS, request=BadgeBody, headers=_KEY)
def badge() -> Response:
    """Accept a badge, which is durable when this answers 202."""
    body = read(BadgeBody)
    data = {"type": body.type, "count": body.count}
    what = draft(user_id=body.user_id, event="badge", data=data, sender=g.key.name, key=_key())
    accepted = current().sender.send(what)
    return _accepted(accepted, {})


def _ms(moment: datetime | None) -> int | None:
    return milliseconds(moment) if moment else None


def _accepted(accepted: accept.Accepted, more: dict[str, int]) -> Response:
    response = write({"id": accepted.id, "status": accepted.status, **more}, 202)
    # The result of `url_for("api.show", …)`, in a tenth of its time.
    response.headers["Location"] = f"{request.script_root}{blueprint.url_prefix}/notifications/{accepted.id}"
    if accepted.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _key() -> str | None:
    return request.headers.get("Idempotency-Key")
