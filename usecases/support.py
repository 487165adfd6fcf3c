"""The support desk: the facts about a user, the reason why an entry was seen or not, and the search.

The dashboard, `GET /api/reports/users` and `notifier inbox` call these alike.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from models.store import desk, entries, status
from models.store.timeline import read_socket
from notifier.core import entry_reason, preferences
from notifier.core.categories import categories
from notifier.core.checks import check_user_id
from notifier.core.draft import check_id
from notifier.core.entry_reason import Known
from notifier.core.errors import InvalidInput, NotFound
from notifier.core.reach_words import Reached
from notifier.core.recipients import PUSH
from notifier.core.timeline import Socket, SwitchedOff
from notifier.outbox import recipients
from notifier.outbox.engine import Connection, Database
from notifier.outbox.recipients import Profile
from notifier.outbox.types import AnyRow, now

MAX_WORD = 200  # characters of a search


@dataclass(frozen=True, slots=True)
class Explained:
    """An entry of an inbox, and why it is in its state."""

    entry: Known
    title: str
    why: str
    reached: Sequence[Reached]


@dataclass(frozen=True, slots=True)
class Outside:
    """A notification to a user that is not in the inbox; `state`: of it, or `switched off`."""

    id: str
    event: str
    title: str
    state: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of a user's entries, newest first; `older`, `newer`: the seqs at which others go on."""

    items: Sequence[Explained]
    older: int | None
    newer: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """The facts about a user, from one snapshot.

    Attributes:
        user_id: who.
        page: entries of the inbox.
        outside: what is not in the inbox: waiting, scheduled, dead, switched off; newest first.
        seq, unread: of the log.
        profile: None: nothing was ever set.
        preferences: what holds, as `GET /api/preferences` answers it.
        addresses: a browser's is shortened to its service.
        devices, sockets: the last ones, newest first.
        badges: type -> count.
        at: when this was read.
    """

    user_id: str
    page: EntryPage
    outside: Sequence[Outside]
    seq: int
    unread: int
    profile: Profile | None
    preferences: Mapping[str, Any]
    addresses: Sequence[Mapping[str, Any]]
    devices: Sequence[Mapping[str, Any]]
    sockets: Sequence[Socket]
    badges: Mapping[str, int]
    at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search: a user, a notification, and notifications with the word in the title."""

    text: str
    user_id: str | None = None
    notification_id: str | None = None
    titles: Sequence[AnyRow] = field(default=())


def search(database: Database, text: str) -> Found:
    """Search for a user id, a notification id, and titles with a word.

    Titles are searched among the newest `models.store.desk.NEWEST` notifications. Raises InvalidInput,
    DatabaseUnavailable.
    """
    wanted = text.strip()
    if not wanted:
        return Found("")
    if len(wanted) > MAX_WORD or "\0" in wanted:
        raise InvalidInput(problems=[{"loc": ["q"], "msg": f"must have at most {MAX_WORD} characters"}])
    with database.read() as connection:
        return Found(
            wanted,
            user_id=_known_user(connection, wanted),
            notification_id=_known_notification(connection, wanted),
            titles=desk.titled(connection, wanted),
        )


def person(
    database: Database,
    user_id: object,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> Person:
    """Return the facts about a user, with a page of entries.

    Args:
        database: the database.
        user_id: who.
        limit: entries of the page at most.
        before: entries with a lower seq only.
        after: the oldest entries with a higher seq.

    Raises:
        InvalidInput: `user_id` cannot be an id.
        NotFound: nothing is known of this user.
        DatabaseUnavailable: the database does not answer.
    """
    known, at = check_user_id(user_id), now()
    with database.read() as connection:
        profile = recipients.find(connection, known)
        if profile is None and not desk.is_known(connection, known):
            raise NotFound("nothing is known of this user")
        sockets = [read_socket(row) for row in desk.sockets_of(connection, known)]
        head = desk.inbox(connection, known)
        stored, zone = (profile.preferences, profile.timezone) if profile else (None, None)
        return Person(
            known,
            _page(connection, known, sockets, at, limit=limit, before=before, after=after),
            _outside(connection, known),
            head.seq if head else 0,
            head.unread if head else 0,
            profile,
            preferences.told(categories(), stored, zone),
            [_address(row) for row in desk.addresses_of(connection, known)],
            [_fields(row) for row in desk.devices_of(connection, known)],
            sockets,
            {row.type: row.shown for row in desk.badges_of(connection, known)},
            at,
        )


def last_entries(database: Database, user_id: object, *, limit: int) -> Sequence[Explained]:
    """Return a user's last entries with their state and why, newest first; empty: there are none.

    Raises InvalidInput, DatabaseUnavailable.
    """
    known, at = check_user_id(user_id), now()
    with database.read() as connection:
        sockets = [read_socket(row) for row in desk.sockets_of(connection, known)]
        return _page(connection, known, sockets, at, limit=limit).items


def _page(
    connection: Connection,
    user_id: str,
    sockets: Sequence[Socket],
    at: datetime,
    *,
    limit: int,
    before: int | None = None,
    after: int | None = None,
) -> EntryPage:
    found = entries.latest(connection, user_id, limit + 1, before=before, after=after)
    more, page = len(found) > limit, found[:limit] if after is None else found[-limit:]
    reached: dict[str, list[Reached]] = defaultdict(list)
    for row in desk.reached(connection, user_id, [entry.id for entry in page]):
        values = row._asdict()
        reached[values.pop("notification_id")].append(Reached(**values))
    older = bool(page) if after is not None else more
    newer = more if after is not None else bool(page and before is not None)
    return EntryPage(
        [
            Explained(
                one,
                entry_reason.title(one.data),
                entry_reason.why(one, sockets, reached[one.id], at),
                reached[one.id],
            )
            for one in page
        ],
        page[-1].seq if older else None,
        page[0].seq if newer else None,
    )


def _outside(connection: Connection, user_id: str) -> Sequence[Outside]:
    found = [
        Outside(
            row.id, row.event, desk.plain_title(row), "switched off", row.accepted_at,
            entry_reason.switched_off(SwitchedOff(row.since, row.at)),
        )
        for row in desk.switched_off(connection, user_id)
    ]  # fmt: skip
    found += [
        Outside(
            row.id, row.event, desk.plain_title(row), row.state, row.accepted_at,
            entry_reason.outside(
                row.state, due=row.deliver_at, attempts=row.attempts, error=row.error
            ),
        )
        for row in desk.outside(connection, user_id)
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.at, reverse=True)


def _address(row: AnyRow) -> dict[str, Any]:
    """Return an address; of a browser's only the service, as its URL is a secret."""
    address = _fields(row)
    if row.channel == PUSH:
        address["address"] = urlsplit(row.address).netloc
    return address


def _fields(row: AnyRow) -> dict[str, Any]:
    """Return a row's values by name; SQLAlchemy's names are of a kind of text that orjson does not write."""
    return {str(name): value for name, value in row._asdict().items()}


def _known_user(connection: Connection, text: str) -> str | None:
    try:
        user_id = check_user_id(text)
    except InvalidInput:
        return None
    return user_id if desk.is_known(connection, user_id) else None


def _known_notification(connection: Connection, text: str) -> str | None:
    try:
        id = check_id(text)
    except InvalidInput:
        return None
    return id if status.status(connection, id) else None
