"""Web Push for users' browsers: the public key, subscriptions, and the read mark after a click."""

from flask import Blueprint, Response, g

from notifier.core.errors import NotFound
from notifier.core.log import READ
from usecases import push_subscriptions
from usecases.change_entries import change_entries
from usecases.sealed_token import PUSH_READ, SealedTokens
from usecases.vapid import Vapid
from web.auth import user
from web.body import USER_BODY, read, write
from web.describe import describe, public
from web.runtime import current
from web.schemas.push import PushKey, PushReadBody, PushSubscriptionBody, PushUnsubscribeBody

blueprint = Blueprint("push", __name__, url_prefix="/api/push")

_ERRORS = (400, 401, 403, 404, 408, 413, 422, 429, 503)


@blueprint.get("/key")
@user
@describe({200: PushKey}, errors=(401, 403, 404, 503))
def key() -> Response:
    """Return the public key that a browser subscribes with; 404: push is not set up."""
    return write({"key": _vapid().public_key})


@blueprint.post("/subscriptions")
@user
@describe({201: None}, errors=_ERRORS, request=PushSubscriptionBody)
def subscribe() -> Response:
    """Subscribe a browser to this user's push messages; the body is `PushSubscription.toJSON()`."""
    body, runtime = read(PushSubscriptionBody, USER_BODY), current()
    _vapid()
    push_subscriptions.subscribe(
        runtime.database,
        runtime.settings,
        g.user_id,
        body.endpoint,
        p256dh=body.keys.p256dh,
        auth=body.keys.auth,
        issued_at=g.issued_at,
    )
    return Response(status=201)


@blueprint.delete("/subscriptions")
@user
@describe({204: None}, errors=_ERRORS, request=PushUnsubscribeBody)
def unsubscribe() -> Response:
    """Unsubscribe a browser."""
    push_subscriptions.unsubscribe(
        current().database, g.user_id, read(PushUnsubscribeBody, USER_BODY).endpoint
    )
    return Response(status=204)


@blueprint.post("/read")
@public
@describe({204: None}, errors=(400, 404, 408, 413, 422, 503), request=PushReadBody)
def mark_read() -> Response:
    """Mark the entry of a push message as read; the message's token permits only that."""
    runtime = current()
    tokens = SealedTokens.from_settings(PUSH_READ, runtime.settings)
    entry = tokens.open(read(PushReadBody, USER_BODY).token)
    with runtime.gateway.services.changes.turn(entry["u"]):
        change_entries(runtime.database, runtime.local_first, entry["u"], READ, ids=[entry["n"]])
    return Response(status=204)


def _vapid() -> Vapid:
    found = Vapid.from_settings(current().settings)
    if found is None:
        raise NotFound("push is not set up")
    return found
