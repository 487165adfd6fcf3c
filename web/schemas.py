"""The bodies of the HTTP API as models, to check input and describe output."""

import re
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
    model_validator,
)

from notifier.core.draft import MAX_BATCH, MAX_KEY
from notifier.core.events import MAX_RECIPIENTS, MAX_USER_ID, Whole
from notifier.core.frames import Ids, Seq, Until
from notifier.core.life import MAX_COLLAPSE_KEY, MAX_EXPIRES_IN
from notifier.core.log import Status
from notifier.core.states import STATES


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


DEFAULT_EVENT = "alert"
MAX_PAGE = 200
MAX_REPORT = 10_000  # rows of a page
MAX_CURSOR = 1_500  # characters; the longest user id and device need 1,204
_USER_ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_USER_ID,
    "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$",
}
_UUID = {"type": "string", "format": "uuid"}
_AUDIENCE = {"type": "array", "items": _USER_ID, "minItems": 1, "maxItems": MAX_RECIPIENTS}
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

_NAMED_TEXT = {"type": "object", "additionalProperties": _or_null({"type": "string"})}
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

_VISIBLE = "!-~\\u00a1-\\u00ac\\u00ae-\\u00ff"
IDEMPOTENCY_KEY = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_KEY,
    # A header's bytes are characters of Latin-1; only spaces are stripped.
    "pattern": f"^[ {_VISIBLE}]*[{_VISIBLE}][ {_VISIBLE}]*$",
    "description": "Printable characters; repeated with the same body, it gets the same answer",
}


def _one_of(*fields: str) -> dict[str, Any]:
    """Return the JSON schema of "exactly one of these", where null means absent."""
    return {
        "oneOf": [{"required": [name], "properties": {name: {"not": {"type": "null"}}}} for name in fields]
    }


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SendBody(_Closed):
    """A notification to send: exactly one of `user_id` and `user_ids`; `data` by the event's schema.

    The fields are checked by `notifier.core.draft`, which the Python API and the tasks share.
    """

    model_config = ConfigDict(json_schema_extra=_one_of("user_id", "user_ids"))

    user_id: Annotated[Any, WithJsonSchema(_or_null(_USER_ID))] = None
    user_ids: Annotated[Any, WithJsonSchema(_or_null(_AUDIENCE))] = None
    event: Annotated[Any, WithJsonSchema({"type": "string", "default": DEFAULT_EVENT})] = DEFAULT_EVENT
    data: Annotated[Any, WithJsonSchema({"type": "object"})]
    id: Annotated[Any, WithJsonSchema(_or_null(_UUID))] = None
    category: Annotated[Any, WithJsonSchema(_or_null(_CATEGORY))] = None
    deliver_at: Annotated[Any, WithJsonSchema(_or_null(_TIME))] = None
    expires_at: Annotated[Any, WithJsonSchema(_or_null(_TIME))] = None
    expires_in: Annotated[Any, WithJsonSchema(_or_null(_SECONDS))] = None
    collapse_key: Annotated[Any, WithJsonSchema(_or_null(_COLLAPSE_KEY))] = None


class UpdateBody(_Closed):
    """What a notification says from now on, and the version that the caller knows."""

    data: Annotated[Any, WithJsonSchema({"type": "object"})]
    version: Annotated[int, Field(strict=True, ge=1, le=2_147_483_647), Whole] | None = None


class BatchItem(SendBody):
    """One notification of a batch."""

    idempotency_key: Annotated[Any, WithJsonSchema(_or_null(IDEMPOTENCY_KEY))] = None


class BatchBody(_Closed):
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


class BadgeBody(_Closed):
    """A badge to set."""

    user_id: Annotated[Any, WithJsonSchema(_USER_ID)]
    type: Annotated[Any, WithJsonSchema(_BADGES)]
    count: Annotated[Any, WithJsonSchema(_COUNT)]


class RevokeBody(_Closed):
    """A user whose tokens to revoke."""

    user_id: Annotated[Any, WithJsonSchema(_USER_ID)]


class UserQuery(_Closed):
    """Whose."""

    user_id: Annotated[Any, WithJsonSchema(_USER_ID)]


class RecipientBody(_Closed):
    """What is known of a recipient: an absent field stays, null takes it away.

    The fields are checked by `notifier.core.recipients`, which the Python API shares.
    """

    user_id: Annotated[Any, WithJsonSchema(_USER_ID)]
    email: Annotated[Any, WithJsonSchema(_or_null({"type": "string", "maxLength": 254}))] = None
    name: Annotated[Any, WithJsonSchema(_or_null({"type": "string", "maxLength": 200}))] = None
    locale: Annotated[Any, WithJsonSchema(_or_null({"type": "string", "maxLength": 35}))] = None
    timezone: Annotated[Any, WithJsonSchema(_or_null({"type": "string", "maxLength": 64}))] = None
    addresses: Annotated[Any, WithJsonSchema(_or_null(_NAMED_TEXT))] = None


class Recipient(BaseModel):
    """A profile; `off`: why a channel's address was switched off."""

    user_id: str
    email: str | None
    name: str | None
    locale: str | None
    timezone: str | None
    addresses: dict[str, str]
    off: dict[str, str]


class PreferencesQuery(_Closed):
    """Whose; a user's token says that itself."""

    user_id: Annotated[Any, WithJsonSchema(_or_null(_USER_ID))] = None


class PreferencesBody(_Closed):
    """A change of preferences: any part of it; null takes a value away. `user_id` is for backends.

    The fields are checked by `notifier.core.preferences`.
    """

    user_id: Annotated[Any, WithJsonSchema(_or_null(_USER_ID))] = None
    categories: Annotated[Any, WithJsonSchema(_or_null({"type": "object"}))] = None
    channels: Annotated[Any, WithJsonSchema(_or_null({"type": "object"}))] = None
    quiet_hours: Annotated[Any, WithJsonSchema(_or_null(_QUIET_HOURS))] = None
    paused_until: Annotated[Any, WithJsonSchema(_or_null({"type": "integer", "minimum": 0}))] = None
    timezone: Annotated[Any, WithJsonSchema(_or_null({"type": "string", "maxLength": 64}))] = None


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
    quiet_hours: Annotated[Any, WithJsonSchema(_or_null(_QUIET_HOURS))]
    paused_until: int | None
    timezone: str | None


class PageQuery(_Closed):
    """The choice of a page of the inbox."""

    status: Status = Status.ALL
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


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


class DaysQuery(_Closed):
    """A range of days in UTC, inclusive."""

    since: Day = None
    until: Day = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since and self.until and self.until < self.since:
            raise ValueError("until is before since")
        return self


class ReportQuery(DaysQuery):
    """Days and page of a report; `cursor` is from the `Link` header of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_REPORT)] = 1_000
    cursor: Annotated[str, Field(max_length=MAX_CURSOR)] | None = None


class IdsBody(_Closed):
    """The entries to change."""

    ids: Ids


class SeenBody(_Closed):
    """Up to which seq everything was on the screen."""

    through: Annotated[Seq, Whole]


class SnoozeBody(_Closed):
    """Which entries to snooze, and until when: milliseconds since 1970 UTC, at most 400 days ahead."""

    ids: Ids
    until: Annotated[Until, Whole]


class PushKeys(_Closed):
    """A subscription's keys, as the browser made them."""

    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=100)]


class PushSubscriptionBody(BaseModel):
    """`PushSubscription.toJSON()`; browsers may add fields."""

    endpoint: Annotated[str, Field(max_length=2_000)]
    keys: PushKeys


class PushUnsubscribeBody(_Closed):
    """Which browser gets no more push messages."""

    endpoint: Annotated[str, Field(max_length=2_000)]


class PushReadBody(_Closed):
    """The token of a push message."""

    token: Annotated[str, Field(max_length=4_096)]


class PushKey(BaseModel):
    """The public key that a browser subscribes with, in base64url."""

    key: str


class ReadBody(_Closed):
    """The entries to mark as read, by `ids` or all up to the seq `through`."""

    model_config = ConfigDict(json_schema_extra=_one_of("ids", "through"))

    ids: Ids | None = None
    through: Annotated[Seq, Whole] | None = None

    @model_validator(mode="after")
    def _only_one(self) -> "ReadBody":
        if (self.ids is None) == (self.through is None):
            raise ValueError("give exactly one of ids and through")
        return self


#: A notification's state.
NotificationState = Annotated[str, WithJsonSchema({"type": "string", "enum": list(STATES)})]


class Accepted(BaseModel):
    """The notification is durable."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    status: Literal["accepted", "scheduled"]
    recipients: int


class ProblemItem(BaseModel):
    """One broken rule."""

    loc: list[str | int]
    msg: str


class Withdrawn(BaseModel):
    """It is stopped: `canceled`, nobody ever sees it; `retracted`, those who had it have it no longer."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    status: Literal["canceled", "retracted"]
    recipients: int
    reached: int
    in_flight: int


class Updated(BaseModel):
    """It says something else from now on."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    version: int


class BatchResult(BaseModel):
    """What became of one notification of a batch: `errors` when it is refused, else `id` and `recipients`."""

    id: Annotated[str, WithJsonSchema(_UUID)] | None = None
    status: Literal["accepted", "scheduled", "refused"]
    recipients: int | None = None
    errors: list[ProblemItem] | None = None


class BatchAccepted(BaseModel):
    """The results, in the order of the notifications; all that is accepted is durable."""

    results: list[BatchResult]


class BadgeAccepted(BaseModel):
    """The badge is durable."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    status: Literal["accepted"]


class Revoked(BaseModel):
    """Tokens issued before `revoked_at` (milliseconds since 1970 UTC) are refused."""

    user_id: str
    revoked_at: int


ReachState = Literal["waiting", "sending", "sent", "failed", "gone", "refused", "unknown", "skipped"]


class Notification(BaseModel):
    """A notification's status; times are milliseconds since 1970 UTC."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    event: str
    data: dict[str, Any] | None
    status: NotificationState
    accepted_at: int
    recipients: int
    delivered: int
    read: int
    category: str
    deliver_at: int | None
    expires_at: int | None
    version: int
    channels: dict[str, dict[ReachState, int]]
    suppressed: int


class TimelineQuery(_Closed):
    """A user's copy, or a page of the recipients after the user `after`."""

    user_id: Annotated[str, Field(min_length=1, max_length=MAX_USER_ID, pattern=r"^[^\x00]*$")] | None = None
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
    after: Annotated[str, Field(max_length=MAX_USER_ID, pattern=r"^[^\x00]*$")] | None = None


class TimelineStep(BaseModel):
    """One step; `at` null: it has not happened, or is unknown."""

    step: Literal[
        "scheduled", "accepted", "woken", "dispatched", "published", "delivered", "read",
        "canceled", "retracted", "expired",
    ]  # fmt: skip
    at: int | None
    detail: str


class TimelineSocket(BaseModel):
    """A socket of the recipient that was open between dispatch and delivery.

    `closed_at` null: it is open, or not known to be closed (`lost`: its gateway is not heard of any more).
    `sent` null: not known while it is open.
    """

    socket: str
    device: str | None
    gateway: str
    opened_at: int
    closed_at: int | None
    code: int | None
    lost: bool
    sent: bool | None
    acked: bool


class TimelineChannel(BaseModel):
    """One row of a channel: this copy on its way to one address."""

    channel: str
    state: ReachState
    reason: str | None
    digest: str | None
    attempts: int
    due_at: int
    next_at: int | None
    sent_at: int | None


class TimelineItem(BaseModel):
    """One recipient's copy."""

    user_id: str
    seq: int
    persisted_at: int
    delivered_at: int | None
    read_at: int | None


class Timeline(BaseModel):
    """A notification's timeline; times are milliseconds since 1970 UTC.

    `user_id` null: the timeline of all its recipients, with a page of them in `items`, ordered by user id;
    `next` is the next page's `after`.
    """

    id: Annotated[str, WithJsonSchema(_UUID)]
    user_id: str | None
    event: str
    status: NotificationState
    summary: str
    recipients: int
    delivered: int
    read: int
    suppressed: int
    steps: list[TimelineStep]
    sockets: list[TimelineSocket]
    channels: list[TimelineChannel]
    items: list[TimelineItem]
    next: str | None


class InboxItem(BaseModel):
    """An inbox entry; times are milliseconds since 1970 UTC."""

    id: Annotated[str, WithJsonSchema(_UUID)]
    seq: int
    event: str
    data: dict[str, Any]
    sender: str = Field(alias="from")
    timestamp: int
    read_at: int | None
    archived_at: int | None
    collapsed: int | None = Field(default=None, description="Only if it replaced older ones")
    returned: bool | None = Field(default=None, description="Only if it was snoozed and is back")
    snoozed_until: int | None = Field(default=None, description="Only while it is snoozed")


class InboxPage(BaseModel):
    """A page of the inbox, newest first; `next` is the next page's `before`."""

    items: list[InboxItem]
    next: int | None
    seq: int
    unread: int
    badges: dict[str, int]
    seen: int
    unseen: int


class State(BaseModel):
    """The inbox's head and count after a change."""

    seq: int
    unread: int


class DailyRow(BaseModel):
    """A day in UTC, an event and a type; p50 and p95 of accepted to delivered, in milliseconds."""

    day: date
    event: str
    type: str | None
    sent: int
    delivered: int
    read: int
    p50_ms: int | None
    p95_ms: int | None


class NotificationRow(BaseModel):
    """A notification with its counts; times are milliseconds since 1970 UTC."""

    notification_id: Annotated[str, WithJsonSchema(_UUID)]
    event: str
    type: str | None
    status: NotificationState
    accepted_at: int
    dispatched_at: int | None
    recipients: int
    sent: int
    delivered: int
    read: int
    accepted_to_dispatched_ms: int | None
    suppressed: int


class DeviceRow(BaseModel):
    """A user's device; times are milliseconds since 1970 UTC."""

    user_id: str
    device: str
    acked_seq: int
    head_seq: int
    lag: int
    first_seen_at: int
    last_seen_at: int


class DailyReport(RootModel[list[DailyRow]]):
    """The days, oldest first."""


class NotificationsReport(RootModel[list[NotificationRow]]):
    """Notifications, newest first; a `Link` header leads to the next page."""


class DevicesReport(RootModel[list[DeviceRow]]):
    """Devices, ordered by user and device; a `Link` header leads to the next page."""


class Health(BaseModel):
    """Whether the process, or a part of it, works."""

    status: Literal["ok"]
    database: Literal["ok"] | None = None
    broker: Literal["ok"] | None = None


class ProblemBody(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] | None = None
