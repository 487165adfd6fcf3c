"""The administrators' API: revoke a user's tokens."""

from flask import Blueprint, Response

from notifier.outbox.types import milliseconds
from usecases.revoke import revoke as revoke_tokens
from web.auth import backend
from web.body import read, write
from web.describe import describe
from web.runtime import current
from web.schemas.recipients import RevokeBody, Revoked

blueprint = Blueprint("access", __name__, url_prefix="/api")


@blueprint.post("/revocations")
@backend("admin")
@describe({200: Revoked}, errors=(400, 401, 403, 408, 413, 422, 429, 503), request=RevokeBody)
def revoke() -> Response:
    """Revoke every token that was issued to a user before now, and close the sockets that use one."""
    user_id, runtime = read(RevokeBody).user_id, current()
    at, _ = revoke_tokens(runtime.database, runtime.publisher, user_id)
    runtime.gateway.close_revoked()  # in this process at once, whether the broker answers or not
    return write({"user_id": user_id, "revoked_at": milliseconds(at)})
