"""Send notifications: store the row first, then wake the workers."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from pydantic import BaseModel
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, scoped_session

from notifier.after_commit import after_commit
from notifier.core.draft import Draft, draft
from notifier.core.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    IdempotencyMismatch,
    TablesMissing,
    Unavailable,
    WrongDatabase,
)
from notifier.core.events import event_of
from notifier.core.forks import making
from notifier.core.group import Group
from notifier.core.keys import SYSTEM
from notifier.core.states import SCHEDULED
from notifier.outbox import withdraw
from notifier.outbox.accept import Accepted, accept, accept_all
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.failures import unavailable
from notifier.outbox.installation import installation_id
from notifier.outbox.sqlite_session import BUSY_TIMEOUT
from notifier.outbox.types import now
from notifier.outbox.withdraw import Updated, Withdrawn
from notifier.settings import Settings
from notifier.signals import emit, notification_accepted
from notifier.wake import Waker

log = logging.getLogger(__name__)

T = TypeVar("T")

ACCEPTED_AT_ONCE = 100  # calls that share a transaction, at most
LOCK_TIMEOUT = 1.0  # seconds that an application's send waits for SQLite's lock; the caller may hold it
LOCKED = "SQLite is locked by another transaction: pass session=, or commit first"
NO_TABLES = "this session's database has no tables of Live Notifications; run: notifier migrate"
OTHER_DATABASE = (
    "this session is on another database than NOTIFIER_DATABASE_URL, which the service reads: "
    "let both have the same one, or send with session=None"
)


class Wakes(Protocol):
    """What a sender needs of a waker."""

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Ask for a notification to be dispatched."""


class Sends(Protocol):
    """The receiver of this process's sends: a `Sender`, or a test's capture."""

    def send(self, what: Draft, *, session: "Session | scoped_session[Any] | None" = None) -> Accepted:
        """Store a draft durably, as `Sender.send` does."""

    def send_batch(
        self,
        what: Sequence[Draft],
        *,
        session: "Session | scoped_session[Any] | None" = None,
        whole: bool = False,
    ) -> list[Accepted | IdempotencyMismatch]:
        """Make drafts durable, as `Sender.send_batch` does."""

    def cancel(self, id: str, *, session: "Session | scoped_session[Any] | None" = None) -> Withdrawn:
        """Stop a notification, as `Sender.cancel` does."""

    def update(
        self,
        id: str,
        data: object,
        *,
        version: int | None = None,
        session: "Session | scoped_session[Any] | None" = None,
    ) -> Updated:
        """Change what a notification says, as `Sender.update` does."""


class Sender:
    """Stores notifications and wakes the workers for them.

    Args:
        database: where they are stored.
        waker: wakes the workers.
    """

    def __init__(self, database: Database, waker: Wakes) -> None:
        self.database = database
        self.waker = waker
        self._checked: WeakSet[Engine] = WeakSet()  # engines of sessions that lead to the same database
        self._group: Group[Draft, Accepted] = Group(
            self._store, max_items=ACCEPTED_AT_ONCE, hopeless=Unavailable, timeout=database.timeout
        )

    @classmethod
    def from_settings(cls, settings: Settings, *, lock_timeout: float = BUSY_TIMEOUT) -> "Sender":
        """Return a sender with an engine and a waker of its own; connects to nothing yet."""
        return cls(Database(make_engine(settings.database_url, lock_timeout=lock_timeout)), Waker(settings))

    def send(
        self,
        what: Draft,
        *,
        session: "Session | scoped_session[Any] | None" = None,
    ) -> Accepted:
        """Store a draft durably, then wake the workers.

        With `session` it joins the caller's transaction: workers are woken after the commit, and the
        notification is removed by a rollback.

        Raises IdempotencyMismatch, DatabaseUnavailable, and WrongDatabase for the session.
        """
        if session is None:
            accepted = self._group(what)
            if not accepted.replayed:
                self._durable(accepted)
            return accepted
        joined = session() if isinstance(session, scoped_session) else session
        with unavailable():
            self._check_database(joined.connection())
            accepted = accept(joined.connection(), what, now=now())
        if not accepted.replayed:
            after_commit(joined, lambda: self._durable(accepted))
        return accepted

    def send_batch(
        self,
        what: Sequence[Draft],
        *,
        session: "Session | scoped_session[Any] | None" = None,
        whole: bool = False,
    ) -> list[Accepted | IdempotencyMismatch]:
        """Store drafts durably in one transaction; return an answer for each.

        `session` as for `send`. `whole`: all of them, or none: raises the first IdempotencyMismatch, whose
        problems begin with the draft's place. Raises DatabaseUnavailable, and WrongDatabase for the session.
        """

        def work(connection: Connection) -> list[Accepted | IdempotencyMismatch]:
            answers = accept_all(connection, what, now=now())
            for place, answer in enumerate(answers):
                if whole and isinstance(answer, IdempotencyMismatch):
                    raise answer.at(place)
            return answers

        return self._in(session, work, self._all_durable)

    def cancel(self, id: str, *, session: "Session | scoped_session[Any] | None" = None) -> Withdrawn:
        """Stop a notification, as `cancel_notification` does."""
        return self._in(session, partial(withdraw.cancel, id=id, sender=None), self._follow_up)

    def update(
        self,
        id: str,
        data: object,
        *,
        version: int | None = None,
        session: "Session | scoped_session[Any] | None" = None,
    ) -> Updated:
        """Change what a notification says, as `update_notification` does."""
        work = partial(withdraw.update, id=id, data=data, version=version, sender=None)
        return self._in(session, work, self._follow_up)

    def _in(
        self,
        session: "Session | scoped_session[Any] | None",
        work: Callable[[Connection], T],
        after: Callable[[T], None],
    ) -> T:
        """Run `work` in the session's transaction or its own, and `after` behind the commit."""
        if session is None:
            done = self.database.run(work)
            after(done)
            return done
        joined = session() if isinstance(session, scoped_session) else session
        with unavailable():
            self._check_database(joined.connection())
            done = work(joined.connection())
        after_commit(joined, lambda: after(done))
        return done

    def _all_durable(self, answers: Sequence[Accepted | IdempotencyMismatch]) -> None:
        new = [one for one in answers if isinstance(one, Accepted) and not one.replayed]
        for one in new:
            if one.bulk:
                self._wake(one)
        if at_once := [one for one in new if not one.bulk and one.status != SCHEDULED]:
            self._wake(at_once[-1])  # one wake-up drains everything that waits
        for one in new:
            self._tell(one)

    def _follow_up(self, done: Withdrawn | Updated) -> None:
        if done.untold:
            self.waker.wake(done.id, bulk=True)

    def run(
        self, work: Callable[[Connection], T], *, session: "Session | scoped_session[Any] | None" = None
    ) -> T:
        """Run `work` in a transaction of its own, or in the session's; return what it returns.

        Raises DatabaseUnavailable, and WrongDatabase for the session.
        """
        return self._in(session, work, lambda _done: None)

    def _check_database(self, connection: Connection) -> None:
        """Check once for each engine that it leads to the service's database.

        Raises TablesMissing and WrongDatabase. An unknown result is checked again the next time.
        """
        engine = connection.engine
        if engine in self._checked:
            return
        given = installation_id(connection)
        own = self._own_installation()
        if given is None and own is None:
            raise TablesMissing(NO_TABLES)
        if own is None:
            return
        if own != given:
            raise WrongDatabase(OTHER_DATABASE)
        self._checked.add(engine)

    def _own_installation(self) -> str | None:
        url = self.database.engine.url
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
            return None  # the unchanged default: connecting would create the file
        try:
            with self.database.read() as connection:
                return installation_id(connection)
        except DatabaseUnavailable as exc:
            log.debug("the database of the settings cannot be compared with a session's: %s", exc)
            return None

    def _store(self, drafts: Sequence[Draft]) -> Sequence[Accepted | Exception]:
        """Store the drafts of concurrent callers in one statement, which is a transaction."""
        return self.database.run_at_once(lambda connection: accept_all(connection, drafts, now=now()))

    def _durable(self, accepted: Accepted) -> None:
        self._wake(accepted)
        self._tell(accepted)

    def _wake(self, accepted: Accepted) -> None:
        if accepted.status != SCHEDULED:
            self.waker.wake(accepted.id, bulk=accepted.bulk)

    def _tell(self, accepted: Accepted) -> None:
        log.debug("accepted: notification=%s recipients=%d", accepted.id, accepted.recipients)
        emit(notification_accepted, self, id=accepted.id, recipients=accepted.recipients)


_default: Sender | None = None
_diverted: Sends | None = None


def use(sender: Sender | None) -> None:
    """Make `send_notification` and `update_badge` of this process use `sender` (None: the default one)."""
    global _default  # noqa: PLW0603
    _default = sender


def divert(to: Sends | None) -> Sends | None:
    """Redirect all sends of this process to `to` (None: end it); return the receiver before."""
    global _diverted
    before, _diverted = _diverted, to
    return before


def diverted() -> bool:
    """Whether a test captures the sends of this process, so that nothing may reach a database."""
    return _diverted is not None


def default_sender() -> Sender:
    """Return this process's sender, made from the environment's settings on first use."""
    global _default  # noqa: PLW0603
    if _default is not None:
        return _default
    with making:
        if _default is None:
            _default = Sender.from_settings(Settings.load(), lock_timeout=LOCK_TIMEOUT)
        return _default


def send_notification(
    to: str | Iterable[str],
    data: BaseModel | Mapping[str, Any],
    *,
    event: str | None = None,
    sender: str = SYSTEM,
    id: str | None = None,
    idempotency_key: str | None = None,
    category: str | None = None,
    deliver_at: datetime | None = None,
    expires_at: datetime | None = None,
    expires_in: float | None = None,
    collapse_key: str | None = None,
    session: "Session | scoped_session[Any] | None" = None,
) -> str:
    """Send one notification to one user or to many, durably.

    Args:
        to: a user id, or several (1-10,000; duplicates are ignored).
        data: an `Alert`, a model given to `define_event`, or a mapping with its fields.
        event: the event's name; by default that of the model's type, or `alert` for a mapping.
        sender: who sends it (the frame's `from`).
        id: a UUID chosen by the caller; sending with it again sends nothing.
        idempotency_key: the same, as any text of 1-255 characters.
        category: a defined category; by default that of the event's definition, else `general`.
        deliver_at: when it goes out, with a time zone, at most 400 days ahead; a past time: at once.
        expires_at: when it expires, with a time zone, in any state.
        expires_in: the same, in seconds from now, or from `deliver_at`.
        collapse_key: 1-128 characters; of a user's entries with the same key and sender only the newest
            stays.
        session: a SQLAlchemy session on the same database: join its transaction.

    Returns:
        The notification's id (UUIDv7 unless given), once it is durable. With `session`, it is
        durable after that session's commit.

    Raises:
        InvalidInput: a rule of docs/contract.md#3-events is broken; `problems` says which.
        IdempotencyMismatch: the key or id was used before, with another body.
        DatabaseUnavailable: nothing was stored. TablesMissing, DatabaseLocked and DatabaseTimeout are
            kinds of it.
        WrongDatabase: the session is not on the service's database.
    """
    return send_through(
        None,
        to,
        data,
        event=event,
        sender=sender,
        id=id,
        idempotency_key=idempotency_key,
        category=category,
        deliver_at=deliver_at,
        expires_at=expires_at,
        expires_in=expires_in,
        collapse_key=collapse_key,
        session=session,
    )


def send_through(
    through: Sender | None,
    to: str | Iterable[str],
    data: BaseModel | Mapping[str, Any],
    *,
    event: str | None = None,
    sender: str = SYSTEM,
    id: str | None = None,
    idempotency_key: str | None = None,
    session: "Session | scoped_session[Any] | None" = None,
    **life: Any,
) -> str:
    """Send as `send_notification` does, through a given sender (None: the process's)."""
    if event is None:
        event = event_of(data).name if isinstance(data, BaseModel) else "alert"
    who = {"user_id": to} if isinstance(to, str) else {"user_ids": to}
    what = draft(**who, event=event, data=data, id=id, sender=sender, key=idempotency_key, **life)
    return sent(through, session, lambda sends: sends.send(what, session=session)).id


def sent(
    through: Sender | None,
    session: "Session | scoped_session[Any] | None",
    work: Callable[[Sends], T],
) -> T:
    """Run `work` with the receiver of this process's sends. Raises whatever `work` raises."""
    sends = _diverted if _diverted is not None else through or default_sender()
    try:
        return work(sends)
    except DatabaseLocked:
        if session is not None:
            raise
        raise DatabaseLocked(LOCKED) from None


def update_badge(
    user_id: str, type: str, count: int, *, session: "Session | scoped_session[Any] | None" = None
) -> str:
    """Set a badge (`messages`, `notifications` or `tasks`) of one user; return the event's id.

    Raises as `send_notification` does.
    """
    data = {"type": type, "count": count}
    return send_notification(user_id, data, event="badge", session=session)
