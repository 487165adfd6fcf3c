"""Types and base models shared by several routes."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from notifier.core.checks import MAX_USER_ID
from notifier.core.states import STATES


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of "this, or null"."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*fields: str) -> dict[str, Any]:
    """Return the JSON schema of "exactly one of these", where null means absent."""
    return {
        "oneOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in fields]
    }


class Closed(BaseModel):
    """An input model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid")


USER_ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_USER_ID,
    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
}
UUID_TEXT = {"type": "string", "format": "uuid"}


def _day(value: object) -> object:
    if value in ("", None):
        return None
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)):
        raise ValueError("must be a day like 2026-11-20")
    return value


Day = Annotated[
    date | None,
    BeforeValidator(_day),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"const": ""}]}),
]


class UserQuery(Closed):
    """The user that is asked about."""

    user_id: Annotated[Any, WithJsonSchema(USER_ID)]


#: A notification's state.
NotificationState = Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATES)})]
ReachState = Literal["waiting", "sending", "sent", "failed", "gone", "refused", "unknown", "skipped"]
