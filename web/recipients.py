"""The backends' API for recipients: what is known of people besides their ids."""

from flask import Blueprint, Response

from usecases import recipients
from web.auth import backend
from web.body import query, read, write
from web.describe import describe
from web.runtime import current
from web.schemas.fields import UserQuery
from web.schemas.recipients import Recipient, RecipientBody

blueprint = Blueprint("recipients", __name__, url_prefix="/api/recipients")


@blueprint.get("")
@backend("send", "admin")
@describe({200: Recipient}, errors=(401, 403, 404, 422, 503), query=UserQuery)
def show() -> Response:
    """Tell what is known of a recipient."""
    return write(recipients.find(current().database, query(UserQuery).user_id).as_json())


@blueprint.put("")
@backend("send", "admin")
@describe({200: Recipient}, errors=(400, 401, 403, 408, 413, 422, 503), request=RecipientBody)
def put() -> Response:
    """Set what is known of a recipient: a field that is absent stays, null takes it away."""
    given = read(RecipientBody).model_dump(exclude_unset=True)
    user_id = given.pop("user_id")
    return write(recipients.put(current().database, user_id, given).as_json())
