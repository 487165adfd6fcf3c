"""The bodies of what is sent, changed and withdrawn, and the answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from notifier.core.checks import MAX_RECIPIENTS
from notifier.core.draft import MAX_BATCH, MAX_KEY
from notifier.core.events import Whole
from notifier.core.life import MAX_COLLAPSE_KEY, MAX_EXPIRES_IN
from web.schemas.fields import USER_ID, UUID_TEXT, Closed, one_of, or_null
from web.schemas.problems import ProblemItem

DEFAULT_EVENT = "alert"
_AUDIENCE = {"type": "array", "items": USER_ID, "minItems": 1, "maxItems": MAX_RECIPIENTS}
_CATEGORY = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}$", "description": "A defined category"}
_TIME = {"type": "string", "format": "date-time", "description": "RFC 3339, with an offset"}
_SECONDS = {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_EXPIRES_IN}
_COLLAPSE_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_COLLAPSE_KEY,
    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
}
_COUNT = {"type": "integer", "minimum": 0, "maximum": 2_147_483_647}
_BADGES = {"enum": ["messages", "notifications", "tasks"]}
_VISIBLE = "!-~\\u00a1-\\u00ac\\u00ae-\\u00ff"
IDEMPOTENCY_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_KEY,
    # A header's bytes are characters of Latin-1; only spaces are stripped.
    "pattern": f"^[ {_VISIBLE}]*[{_VISIBLE}][ {_VISIBLE}]*$",
    "description": "Printable characters; repeated with the same body, it gets the same answer",
}


class SendBody(Closed):
    """A notification to send: exactly one of `user_id` and `user_ids`; `data` by the event's schema.

    The fields are checked by `notifier.core.draft`, which the Python API and the tasks share.
    """

    model_config = ConfigDict(json_schema_extra=one_of("user_id", "user_ids"))

    user_id: Annotated[Any, WithJsonSchema(or_null(USER_ID))] = None
    user_ids: Annotated[Any, WithJsonSchema(or_null(_AUDIENCE))] = None
    event: Annotated[Any, WithJsonSchema({"type": "string", "default": DEFAULT_EVENT})] = DEFAULT_EVENT
    data: Annotated[Any, WithJsonSchema({"type": "object"})]
    id: Annotated[Any, WithJsonSchema(or_null(UUID_TEXT))] = None
    category: Annotated[Any, WithJsonSchema(or_null(_CATEGORY))] = None
    deliver_at: Annotated[Any, WithJsonSchema(or_null(_TIME))] = None
    expires_at: Annotated[Any, WithJsonSchema(or_null(_TIME))] = None
    expires_in: Annotated[Any, WithJsonSchema(or_null(_SECONDS))] = None
    collapse_key: Annotated[Any, WithJsonSchema(or_null(_COLLAPSE_KEY))] = None


class UpdateBody(Closed):
    """The new data of a notification, and the version that the caller knows."""

    data: Annotated[Any, WithJsonSchema({"type": "object"})]
    version: Annotated[int, Field(strict=True, ge=1, le=2_147_483_647), Whole] | None = None


class BatchItem(SendBody):
    """One notification of a batch."""

    idempotency_key: Annotated[Any, WithJsonSchema(or_null(IDEMPOTENCY_KEY))] = None


class BatchBody(Closed):
    """Notifications to send, each by itself: what is wrong with one refuses no other."""

    notifications: Annotated[
        list[Any],
        Field(min_length=1, max_length=MAX_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "items": BatchItem.model_json_schema(),
                "minItems": 1,
                "maxItems": MAX_BATCH,
            }
        ),
    ]


class BadgeBody(Closed):
    """A badge to set."""

    user_id: Annotated[Any, WithJsonSchema(USER_ID)]
    type: Annotated[Any, WithJsonSchema(_BADGES)]
    count: Annotated[Any, WithJsonSchema(_COUNT)]


class Accepted(BaseModel):
    """The notification is durable."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
    status: Literal["accepted", "scheduled"]
    recipients: int


class Withdrawn(BaseModel):
    """The answer to a cancel: `canceled` if nobody ever sees it, `retracted` if inboxes had it."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
    status: Literal["canceled", "retracted"]
    recipients: int
    reached: int
    in_flight: int


class Updated(BaseModel):
    """The answer to an update: the notification's new version."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
    version: int


class BatchResult(BaseModel):
    """The result for one notification of a batch: `errors` when it is refused, else `id` and `recipients`."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)] | None = None
    status: Literal["accepted", "scheduled", "refused"]
    recipients: int | None = None
    errors: list[ProblemItem] | None = None


class BatchAccepted(BaseModel):
    """The results, in the order of the notifications; all that is accepted is durable."""

    results: list[BatchResult]


class BadgeAccepted(BaseModel):
    """The badge is durable."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
    status: Literal["accepted"]
