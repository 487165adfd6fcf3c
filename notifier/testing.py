"""Test an application that sends notifications: without a database, a broker or a thread.

    from notifier.testing import capture

    with capture() as notifications:
        client.post("/orders/7/ship")
        assert [sent.data["title"] for sent in notifications] == ["Order shipped"]

With pytest, the fixture `notifications` does the same. Sends are checked like real ones: the event's
schema, user ids, idempotency keys. With `session=`, a send counts after the commit, and not after a rollback.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, overload

from sqlalchemy.orm import Session, scoped_session

from notifier import send
from notifier.after_commit import after_commit
from notifier.core.categories import GENERAL
from notifier.core.draft import Draft
from notifier.core.errors import Conflict, IdempotencyMismatch, InvalidInput, NotFound
from notifier.core.events import event_type
from notifier.core.states import ACCEPTED, CANCELED, RETRACTED, SCHEDULED
from notifier.outbox.accept import Accepted
from notifier.outbox.withdraw import Updated, Withdrawn

__all__ = ["Notifications", "Sent", "capture"]

MISMATCH = "this idempotency key or id was used before, with another body"


@dataclass(frozen=True, slots=True)
class Sent:
    """One notification that was sent.

    Attributes:
        id: its id.
        event: its event's name, like `alert`.
        data: its content, as plain JSON values.
        recipients: the user ids, each once, in the order given.
        sender: the sender's name.
        key: the idempotency key, if one was given.
        deliver_at: when it is due; None: at once.
        category: its category.
        expires_at: when it ends; None: never.
        collapse_key: of one user's entries with the same key and sender only the newest stays.
        version: of its data, which counts updates.
    """

    id: str
    event: str
    data: dict[str, Any]
    recipients: tuple[str, ...]
    sender: str
    key: str | None
    deliver_at: datetime | None = None
    category: str = GENERAL
    expires_at: datetime | None = None
    collapse_key: str | None = None
    version: int = 1


class Notifications(Sequence[Sent]):
    """The sent notifications, in order. A scheduled one is in `waiting` until `deliver` reaches its time."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []
        self.waiting: list[Sent] = []
        self._hashes: dict[str | tuple[str, str], tuple[str, Sent]] = {}
        self.withdrawn: dict[str, str] = {}  # id -> canceled or retracted
        self._answers: dict[str, Withdrawn] = {}
        self._now: datetime | None = None

    @overload
    def __getitem__(self, index: int) -> Sent: ...

    @overload
    def __getitem__(self, index: slice) -> list[Sent]: ...

    def __getitem__(self, index: int | slice) -> Sent | list[Sent]:
        """Return one of them, or some."""
        return self._sent[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._sent)

    def to(self, user_id: str) -> list[Sent]:
        """Return what was sent to a user."""
        return [sent for sent in self._sent if user_id in sent.recipients]

    def clear(self) -> None:
        """Forget everything, idempotency keys too."""
        self._sent.clear()
        self.waiting.clear()
        self.withdrawn.clear()
        self._answers.clear()
        self._hashes.clear()

    def deliver(self, *, at: datetime) -> list[Sent]:
        """Move the clock to `at` (with a time zone); return what became due, the earliest first.

        What has expired by then is not sent.
        """
        if at.tzinfo is None:
            raise ValueError("a time needs a time zone")
        self._now = at
        due = sorted((sent for sent in self.waiting if _time(sent) <= at), key=_time)
        self.waiting = [sent for sent in self.waiting if _time(sent) > at]
        due = [sent for sent in due if not self._expired(sent)]
        self._sent.extend(due)
        return due

    def _expired(self, sent: Sent) -> bool:
        return sent.expires_at is not None and sent.expires_at <= self._present()

    def _find(self, what: Draft) -> Sent | None:
        """Return the notification with the same id or key. Raises IdempotencyMismatch."""
        for name in _names(what):
            if name in self._hashes:
                body, sent = self._hashes[name]
                if body != what.body_hash():
                    raise IdempotencyMismatch(MISMATCH)
                return sent
        return None

    def _present(self) -> datetime:
        return self._now or datetime.now(UTC)

    def _keep(self, what: Draft, sent: Sent) -> None:
        for name in _names(what):
            self._hashes[name] = (what.body_hash(), sent)
        now = self._present()
        (self._sent if sent.deliver_at is None or sent.deliver_at <= now else self.waiting).append(sent)

    def send_batch(
        self,
        what: Sequence[Draft],
        *,
        session: "Session | scoped_session[Any] | None" = None,
        whole: bool = False,
    ) -> list[Accepted | IdempotencyMismatch]:
        """Keep notifications that were checked; `whole`: all of them, or none."""
        bodies: dict[str | tuple[str, str], str] = {}  # of this batch, by id and key
        for place, one in enumerate(what):
            try:
                self._find(one)
                if any(bodies.setdefault(name, one.body_hash()) != one.body_hash() for name in _names(one)):
                    raise IdempotencyMismatch(MISMATCH)
            except IdempotencyMismatch as exc:
                if whole:
                    raise exc.at(place) from None
        answers: list[Accepted | IdempotencyMismatch] = []
        for one in what:
            try:
                answers.append(self.send(one, session=session))
            except IdempotencyMismatch as exc:
                answers.append(exc)
        return answers

    def cancel(self, id: str, *, session: "Session | scoped_session[Any] | None" = None) -> Withdrawn:
        """Take a notification out of what was sent, and of what waits; with a session, after its commit."""
        if id in self._answers:
            return self._answers[id]
        sent = self._named(id)
        if self._expired(sent):
            raise Conflict("it has expired")
        how_many = len(sent.recipients)
        waits = sent in self.waiting
        answer = Withdrawn(id, CANCELED if waits else RETRACTED, how_many, 0 if waits else how_many, 0, False)

        def withdraw() -> None:
            self.waiting = [one for one in self.waiting if one.id != id]
            self._sent = [one for one in self._sent if one.id != id]
            self.withdrawn[id] = answer.status
            self._answers[id] = answer

        _then(session, withdraw)
        return answer

    def update(
        self,
        id: str,
        data: object,
        *,
        version: int | None = None,
        session: "Session | scoped_session[Any] | None" = None,
    ) -> Updated:
        """Change what a notification says; with a session, after its commit."""
        if id in self.withdrawn:
            raise Conflict(f"it is {self.withdrawn[id]}")
        sent = self._named(id)
        if self._expired(sent):
            raise Conflict("it is expired")
        if version not in (None, sent.version):
            raise Conflict(f"its version is {sent.version}")
        kind = event_type(sent.event)
        if not kind.inbox:
            problem = f"{sent.event} is not an inbox entry: send another one"
            raise InvalidInput(problems=[{"loc": ["data"], "msg": problem}])
        newer = replace(sent, data=kind.validate(data), version=sent.version + 1)

        def change() -> None:
            for where in (self.waiting, self._sent):
                where[:] = [newer if one.id == id else one for one in where]

        _then(session, change)
        return Updated(id, newer.version, 0, False)

    def _named(self, id: str) -> Sent:
        """Return the notification with this id. Raises NotFound."""
        for sent in (*self.waiting, *self._sent):
            if sent.id == id:
                return sent
        raise NotFound("there is no such notification")

    def send(self, what: Draft, *, session: "Session | scoped_session[Any] | None" = None) -> Accepted:
        """Keep a checked notification, after the session's commit if there is a session."""
        known = self._find(what)
        if known is not None:
            return Accepted(known.id, len(known.recipients), True, what.bulk, _status(known))
        present = self._present()
        sent = Sent(
            what.id,
            what.event.name,
            what.data,
            tuple(what.audience),
            what.sender,
            what.key,
            what.life.deliver_at if what.life.deliver_at and what.life.deliver_at > present else None,
            what.life.category or GENERAL,
            what.life.expiry(present),
            what.life.collapse_key,
        )
        _then(session, lambda: self._keep(what, sent))
        return Accepted(what.id, len(what.audience), False, what.bulk, _status(sent))


def _names(what: Draft) -> list[str | tuple[str, str]]:
    """Return what makes a second send the same one."""
    return [what.id, *([(what.sender, what.key)] if what.key else [])]


def _then(session: "Session | scoped_session[Any] | None", work: Callable[[], None]) -> None:
    """Do `work` now, or after the session's commit."""
    if session is None:
        work()
    else:
        after_commit(session() if isinstance(session, scoped_session) else session, work)


def _status(sent: Sent) -> str:
    return ACCEPTED if sent.deliver_at is None else SCHEDULED


def _time(sent: Sent) -> datetime:
    assert sent.deliver_at is not None
    return sent.deliver_at


@contextmanager
def capture() -> Iterator[Notifications]:
    """Keep what this process sends in a list, instead of sending it."""
    notifications = Notifications()
    before = send.divert(notifications)
    try:
        yield notifications
    finally:
        send.divert(before)
