"""The bodies and answers about a recipient: profile, preferences, revocation."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from web.schemas.fields import USER_ID, Closed, or_null

_NAMED_TEXT = {"type": "object", "additionalProperties": or_null({"type": "string"})}
_CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}
_QUIET_HOURS = {
    "type": "object",
    "required": ["from", "to"],
    "additionalProperties": False,
    "properties": {
        "from": _CLOCK,
        "to": _CLOCK,
        "days": {
            "type": "array",
            "minItems": 1,
            "items": {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        },
        "timezone": {"type": "string"},
    },
}


class RecipientBody(Closed):
    """What is known of a recipient: an absent field stays, null takes it away.

    The fields are checked by `notifier.core.recipients`, which the Python API shares.
    """

    user_id: Annotated[Any, WithJsonSchema(USER_ID)]
    email: Annotated[Any, WithJsonSchema(or_null({"type": "string", "maxLength": 254}))] = None
    name: Annotated[Any, WithJsonSchema(or_null({"type": "string", "maxLength": 200}))] = None
    locale: Annotated[Any, WithJsonSchema(or_null({"type": "string", "maxLength": 35}))] = None
    timezone: Annotated[Any, WithJsonSchema(or_null({"type": "string", "maxLength": 64}))] = None
    addresses: Annotated[Any, WithJsonSchema(or_null(_NAMED_TEXT))] = None


class Recipient(BaseModel):
    """A profile; `off`: why a channel's address was switched off."""

    user_id: str
    email: str | None
    name: str | None
    locale: str | None
    timezone: str | None
    addresses: dict[str, str]
    off: dict[str, str]


class ErasedRecipient(BaseModel):
    """The deleted rows: kind -> number; empty: there were none."""

    erased: dict[str, int]


class Unfinished(BaseModel):
    """The number of rows left to erase: repeat the call."""

    left: int


class Export(BaseModel):
    """All that is stored of a user: a list of rows for each table, and the notifications."""

    user_id: str
    exported_at: str
    notifications: list[dict[str, Any]]
    deliveries: list[dict[str, Any]]
    changes: list[dict[str, Any]]
    recipients: list[dict[str, Any]]
    addresses: list[dict[str, Any]]


class PreferencesQuery(Closed):
    """The user that is asked about; with a user's token it is the token's."""

    user_id: Annotated[Any, WithJsonSchema(or_null(USER_ID))] = None


class PreferencesBody(Closed):
    """A change of preferences: any part of it; null takes a value away. `user_id` is for backends.

    The fields are checked by `notifier.core.preferences`.
    """

    user_id: Annotated[Any, WithJsonSchema(or_null(USER_ID))] = None
    categories: Annotated[Any, WithJsonSchema(or_null({"type": "object"}))] = None
    channels: Annotated[Any, WithJsonSchema(or_null({"type": "object"}))] = None
    quiet_hours: Annotated[Any, WithJsonSchema(or_null(_QUIET_HOURS))] = None
    paused_until: Annotated[Any, WithJsonSchema(or_null({"type": "integer", "minimum": 0}))] = None
    timezone: Annotated[Any, WithJsonSchema(or_null({"type": "string", "maxLength": 64}))] = None


class PreferredValue(BaseModel):
    """A value, and which rule decided it."""

    value: Literal["on", "off", "instant", "hourly", "daily", "weekly"]
    source: Literal["required", "user", "channel", "category", "default"] = Field(alias="from")


class PreferredCategory(BaseModel):
    """A category, and what holds for each channel that it offers."""

    name: str
    title: str
    description: str
    required: bool
    channels: dict[str, PreferredValue]


class Preferences(BaseModel):
    """What holds for a user; `paused_until` is milliseconds since 1970 UTC."""

    categories: list[PreferredCategory]
    channels: dict[str, str | None]
    quiet_hours: Annotated[Any, WithJsonSchema(or_null(_QUIET_HOURS))]
    paused_until: int | None
    timezone: str | None


class RevokeBody(Closed):
    """A user whose tokens to revoke."""

    user_id: Annotated[Any, WithJsonSchema(USER_ID)]


class Revoked(BaseModel):
    """Tokens issued before `revoked_at` (milliseconds since 1970 UTC) are refused."""

    user_id: str
    revoked_at: int
