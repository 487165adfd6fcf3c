"""Test an application that sends notifications: without a database, a broker or a thread.

    from notifier.testing import capture

    with capture() as notifications:
        client.post("/orders/7/ship")
        assert [sent.data["title"] for sent in notifications] == ["Order shipped"]

With pytest, the fixture `notifications` does the same. Sends are checked as real ones are: the event's
schema, user ids, idempotency keys. With `session=`, a send counts after the commit, and not after a rollback.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, overload

from sqlalchemy.orm import Session, scoped_session

from notifier import send
from notifier.after_commit import after_commit
from notifier.core.categories import GENERAL
from notifier.core.draft import Draft
from notifier.core.errors import IdempotencyMismatch
from notifier.core.states import ACCEPTED, SCHEDULED
from notifier.outbox.accept import Accepted

__all__ = ["Notifications", "Sent", "capture"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One notification that was sent.

    Attributes:
        id: its id.
        event: what it is, like `alert`.
        data: what it says, as plain JSON values.
        recipients: the user ids, each once, in the order given.
        sender: who sends it.
        key: the idempotency key, if one was given.
        deliver_at: when it is due; None: at once.
        category: its category.
        expires_at: when it ends; None: never.
        collapse_key: of one user's entries with the same key and sender only the newest stays.
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


class Notifications(Sequence[Sent]):
    """What was sent, in order. A scheduled one is in `waiting` until `deliver` reaches its time."""

    def __init__(self) -> None:
        self._sent: list[Sent] = []
        self.waiting: list[Sent] = []
        self._hashes: dict[str | tuple[str, str], tuple[str, Sent]] = {}
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
        self._hashes.clear()

    def deliver(self, *, at: datetime) -> list[Sent]:
        """Move the clock to `at` (with a time zone); return what became due, the earliest first."""
        if at.tzinfo is None:
            raise ValueError("a time needs a time zone")
        self._now = at
        due = sorted((sent for sent in self.waiting if _time(sent) <= at), key=_time)
        self.waiting = [sent for sent in self.waiting if _time(sent) > at]
        self._sent.extend(due)
        return due

    def _find(self, what: Draft) -> Sent | None:
        """Return what was sent under the same id or key. Raises IdempotencyMismatch."""
        names: list[str | tuple[str, str]] = [what.id, *([(what.sender, what.key)] if what.key else [])]
        for name in names:
            if name in self._hashes:
                body, sent = self._hashes[name]
                if body != what.body_hash():
                    raise IdempotencyMismatch("this idempotency key or id was used before, with another body")
                return sent
        return None

    def _present(self) -> datetime:
        return self._now or datetime.now(UTC)

    def _keep(self, what: Draft, sent: Sent) -> None:
        self._hashes[what.id] = (what.body_hash(), sent)
        if what.key:
            self._hashes[what.sender, what.key] = (what.body_hash(), sent)
        now = self._present()
        (self._sent if sent.deliver_at is None or sent.deliver_at <= now else self.waiting).append(sent)

    def send(self, what: Draft, *, session: "Session | scoped_session[Any] | None" = None) -> Accepted:
        """Keep a notification that was checked, after the session's commit if there is a session."""
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
        if session is None:
            self._keep(what, sent)
        else:
            joined = session() if isinstance(session, scoped_session) else session
            after_commit(joined, lambda: self._keep(what, sent))
        return Accepted(what.id, len(what.audience), False, what.bulk, _status(sent))


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
