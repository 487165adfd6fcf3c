"""Read and write JSON bodies."""

from typing import Any, TypeVar

import orjson
from flask import Response, request
from pydantic import BaseModel, ValidationError

from notifier.core.checks import check_fields, problems_of
from notifier.core.errors import InvalidInput, NotJson

M = TypeVar("M", bound=BaseModel)


USER_BODY = 64 * 1024  # bytes; a user's largest valid body is 1,000 ids, 39,000


def read(model: type[M], max_bytes: int | None = None) -> M:
    """Return the request's body as `model`.

    Raises NotJson, and InvalidInput when it breaks a rule; a body over `max_bytes` breaks one and is
    not parsed. Over 1 MiB it is 413 (`web.request`).
    """
    raw = request.get_data(cache=False)
    if max_bytes is not None and len(raw) > max_bytes:
        raise InvalidInput(problems=[{"loc": [], "msg": f"must have at most {max_bytes} bytes"}])
    try:
        value = orjson.loads(raw)
    except ValueError:
        raise NotJson("the body is not JSON") from None
    return check(model, value)


def query(model: type[M]) -> M:
    """Return the request's query as `model`. Raises InvalidInput."""
    return check(model, request.args.to_dict())


def check(model: type[M], value: Any) -> M:
    """Return `value` as `model`. Raises InvalidInput."""
    if isinstance(value, dict):
        check_fields(value)
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise InvalidInput(problems=problems_of(exc)) from None


def write(value: Any, status: int = 200) -> Response:
    """Return `value` as the response."""
    return Response(orjson.dumps(value), status, content_type="application/json")
