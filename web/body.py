"""JSON in, JSON out."""

from typing import Any, TypeVar

import orjson
from flask import Response, request
from pydantic import BaseModel, ValidationError

from notifier.core.errors import InvalidInput, NotJson
from notifier.core.events import problems_of

M = TypeVar("M", bound=BaseModel)


def read(model: type[M]) -> M:
    """Return the request's body as `model`.

    Raises NotJson, and InvalidInput when it breaks a rule; over 1 MiB werkzeug answers 413.
    """
    try:
        value = orjson.loads(request.get_data(cache=False))
    except ValueError:
        raise NotJson("the body is not JSON") from None
    return check(model, value)


def query(model: type[M]) -> M:
    """Return the request's query as `model`. Raises InvalidInput."""
    return check(model, request.args.to_dict())


def check(model: type[M], value: Any) -> M:
    """Return `value` as `model`. Raises InvalidInput."""
    try:
        return model.model_validate(value)
    except ValidationError as exc:
        raise InvalidInput(problems=problems_of(exc)) from None


def write(value: Any, status: int = 200) -> Response:
    """Return `value` as the response."""
    return Response(orjson.dumps(value), status, content_type="application/json")
