"""The answers about a notification: its status and its timeline."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from notifier.core.checks import MAX_USER_ID
from web.schemas.fields import UUID_TEXT, Closed, NotificationState, ReachState


class Notification(BaseModel):
    """A notification's status; times are milliseconds since 1970 UTC."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
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


class TimelineQuery(Closed):
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

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
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
