"""The queries and rows of the reports."""

from datetime import date
from typing import Annotated, Self

from pydantic import BaseModel, Field, RootModel, WithJsonSchema, model_validator

from web.schemas.fields import UUID_TEXT, Closed, Day, NotificationState

MAX_REPORT = 10_000  # rows of a page
MAX_CURSOR = 1_500  # characters; the longest user id and device need 1,204


class DaysQuery(Closed):
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

    notification_id: Annotated[str, WithJsonSchema(UUID_TEXT)]
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
