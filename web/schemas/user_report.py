"""The report of one user: the support desk's page, for machines. Times are milliseconds since 1970 UTC."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from notifier.core import reach_words
from notifier.outbox.types import milliseconds
from usecases.support import Person
from web.schemas.fields import UUID_TEXT, Closed, UserQuery

MAX_ENTRIES = 200
_Id = Annotated[str, WithJsonSchema(UUID_TEXT)]
_Seq = Annotated[int, Field(ge=1, le=2**63 - 1)]


class UserReportQuery(UserQuery, Closed):
    """The user, and the page: `before` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_ENTRIES)] = 50
    before: _Seq | None = None


class UserEntry(BaseModel):
    """An entry of the inbox, or one that has left it, and why it is in its state."""

    id: _Id
    seq: int
    event: str
    title: str
    sender: str
    state: str
    why: str
    accepted_at: int
    persisted_at: int
    delivered_at: int | None
    since: int | None
    until: int | None
    channels: list[dict[str, Any]]


class OutsideEntry(BaseModel):
    """A notification that is not in the inbox: it waits, is scheduled, dead or switched off."""

    id: _Id
    event: str
    title: str
    state: str
    why: str
    accepted_at: int


class UserReport(BaseModel):
    """The facts about a user."""

    user_id: str
    seq: int
    unread: int
    badges: dict[str, int]
    entries: list[UserEntry]
    next: int | None
    outside: list[OutsideEntry]
    profile: dict[str, Any] | None
    preferences: dict[str, Any]
    addresses: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    sockets: list[dict[str, Any]]


def person_json(found: Person) -> dict[str, Any]:
    """Return a user's report in the API's form."""
    profile = found.profile
    return {
        "user_id": found.user_id,
        "seq": found.seq,
        "unread": found.unread,
        "badges": found.badges,
        "entries": [
            {
                "id": one.entry.id,
                "seq": one.entry.seq,
                "event": one.entry.event,
                "title": one.title,
                "sender": one.entry.sender,
                "state": one.entry.state,
                "why": one.why,
                "accepted_at": milliseconds(one.entry.accepted_at),
                "persisted_at": milliseconds(one.entry.persisted_at),
                "delivered_at": _plain(one.entry.delivered_at),
                "since": _plain(one.entry.since),
                "until": _plain(one.entry.until),
                "channels": reach_words.as_json(one.reached),
            }
            for one in found.page.items
        ],
        "next": found.page.older,
        "outside": [
            {
                "id": one.id,
                "event": one.event,
                "title": one.title,
                "state": one.state,
                "why": one.why,
                "accepted_at": milliseconds(one.at),
            }
            for one in found.outside
        ],
        "profile": profile and {"name": profile.name, "locale": profile.locale, "timezone": profile.timezone},
        "preferences": found.preferences,
        "addresses": [{name: _plain(value) for name, value in one.items()} for one in found.addresses],
        "devices": [{name: _plain(value) for name, value in one.items()} for one in found.devices],
        "sockets": [
            {
                "device": one.device,
                "opened_at": milliseconds(one.opened_at),
                "closed_at": _plain(one.end),
                "code": one.code,
                "lost": one.lost(found.at),
            }
            for one in found.sockets
        ],
    }


def _plain(value: Any) -> Any:
    return milliseconds(value) if isinstance(value, datetime) else value
