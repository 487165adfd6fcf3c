"""The bodies and answers of a user's inbox."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from notifier.core.events import Whole
from notifier.core.frames import Ids, Seq, Until
from notifier.core.log import Status
from web.schemas.fields import UUID_TEXT, Closed, one_of

MAX_PAGE = 200


class PageQuery(Closed):
    """The choice of a page of the inbox."""

    status: Status = Status.ALL
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class IdsBody(Closed):
    """The entries to change."""

    ids: Ids


class ReadBody(Closed):
    """The entries to mark as read, by `ids` or all up to the seq `through`."""

    model_config = ConfigDict(json_schema_extra=one_of("ids", "through"))

    ids: Ids | None = None
    through: Annotated[Seq, Whole] | None = None

    @model_validator(mode="after")
    def _only_one(self) -> "ReadBody":
        if (self.ids is None) == (self.through is None):
            raise ValueError("give exactly one of ids and through")
        return self


class SeenBody(Closed):
    """The seq up to which everything was on the screen."""

    through: Annotated[Seq, Whole]


class SnoozeBody(Closed):
    """The entries to snooze, and when they return: milliseconds since 1970 UTC, at most 400 days ahead."""

    ids: Ids
    until: Annotated[Until, Whole]


class InboxItem(BaseModel):
    """An inbox entry; times are milliseconds since 1970 UTC."""

    id: Annotated[str, WithJsonSchema(UUID_TEXT)]
    seq: int
    event: str
    data: dict[str, Any]
    sender: str = Field(alias="from")
    timestamp: int
    read_at: int | None
    archived_at: int | None
    category: str | None = Field(default=None, description="Only if it is not `general`")
    version: int | None = Field(default=None, description="Only if its data was updated")
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
