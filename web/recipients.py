"""The backends' API for recipients: profile, preferences, export, erasure."""

import tempfile
from typing import IO, cast

from flask import Blueprint, Response
from werkzeug.wsgi import FileWrapper

from usecases import export, recipients
from usecases.erase import erase as erase_user
from web.auth import backend
from web.body import query, read, write
from web.describe import describe
from web.runtime import current
from web.schemas.fields import UserQuery
from web.schemas.recipients import ErasedRecipient, Export, Recipient, RecipientBody, Unfinished

ERASE_SECONDS = 10.0  # after which the answer is 202
IN_MEMORY = 1024 * 1024  # bytes of an export; a larger one is a file without a name

blueprint = Blueprint("recipients", __name__, url_prefix="/api/recipients")


@blueprint.get("")
@backend("send", "admin")
@describe({200: Recipient}, errors=(401, 403, 404, 422, 503), query=UserQuery)
def show() -> Response:
    """Return a recipient's profile."""
    return write(recipients.find(current().database, query(UserQuery).user_id).as_json())


@blueprint.put("")
@backend("send", "admin")
@describe({200: Recipient}, errors=(400, 401, 403, 408, 413, 422, 503), request=RecipientBody)
def put() -> Response:
    """Set fields of a recipient's profile: an absent field stays, null removes it."""
    given = read(RecipientBody).model_dump(exclude_unset=True)
    user_id = given.pop("user_id")
    return write(recipients.put(current().database, user_id, given).as_json())


@blueprint.delete("")
@backend("admin")
@describe(
    {200: ErasedRecipient, 202: Unfinished}, errors=(401, 403, 408, 413, 422, 429, 503), query=UserQuery
)
def erase() -> Response:
    """Erase a user: no table has the id afterwards. 202: rows are left, repeat the call to continue."""
    runtime = current()
    done = erase_user(
        runtime.database,
        runtime.publisher,
        query(UserQuery).user_id,
        mail=runtime.settings.var_dir / "mail",
        seconds=ERASE_SECONDS,
        look=runtime.gateway.close_revoked,
    )
    return write({"left": done.left}, 202) if done.left else write({"erased": dict(done.counts)})


@blueprint.get("/export")
@backend("admin")
@describe({200: Export}, errors=(401, 403, 404, 422, 503), query=UserQuery)
def export_all() -> Response:
    """Return all that is stored of a user, as one document."""
    user_id = query(UserQuery).user_id
    file = cast("IO[bytes]", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115
    try:
        export.write(current().database, user_id, file)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    response = Response(FileWrapper(file), content_type="application/json", direct_passthrough=True)
    response.content_length = size
    response.headers["Content-Disposition"] = 'attachment; filename="export.json"'
    response.headers["Cache-Control"] = "no-store"
    response.call_on_close(file.close)
    return response
