"""Who may come in, for administrators: revoke a user's tokens."""

from flask import Blueprint, Response

from models.store import revocations
from notifier.core.events import check_user_id
from notifier.outbox.types import milliseconds, now
from web.auth import backend
from web.body import read, write
from web.describe import describe
from web.runtime import current
from web.schemas import RevokeBody, Revoked

blueprint = Blueprint("access", __name__, url_prefix="/api")


@blueprint.post("/revocations")
@backend("admin")
@describe({200: Revoked}, errors=(400, 401, 403, 408, 413, 422, 429, 503), request=RevokeBody)
def revoke() -> Response:
    """Revoke every token that was issued to a user before now, and close the sockets that use one."""
    user_id, at = check_user_id(read(RevokeBody).user_id), now()
    runtime = current()
    runtime.database.run(lambda connection: revocations.revoke(connection, user_id, now=at))
    runtime.gateway.revoked()
    return write({"user_id": user_id, "revoked_at": milliseconds(at)})
