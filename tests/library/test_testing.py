"""`notifier.testing`: sends are checked like real ones, and need no database, broker or thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from notifier import Alert, InvalidInput, send_notification, update_badge
from notifier import send as sending
from notifier.core.errors import IdempotencyMismatch
from notifier.testing import Notifications, Sent, capture

ALERT = Alert(title="Order shipped", message="It is on its way.", type="success")


@pytest.fixture
def session() -> Iterator[Session]:
    """An application's session, on a database without our tables."""
    engine = sa.create_engine("sqlite://")
    with Session(engine) as session:
        yield session
    engine.dispose()


def test_sends_are_kept_in_order_and_nothing_is_started(notifications: Notifications, tmp_path: Path) -> None:
    threads = threading.active_count()
    identity = send_notification(["ada", "bob", "ada"], ALERT, sender="shop")
    update_badge("ada", "messages", 3)
    first, second = notifications
    assert (first.id, first.event, first.recipients, first.sender) == (
        identity,
        "alert",
        ("ada", "bob"),
        "shop",
    )
    assert first.data == {"title": "Order shipped", "message": "It is on its way.", "type": "success"}
    assert (second.event, second.data) == ("badge", {"type": "messages", "count": 3})
    assert notifications.to("bob") == [first]
    assert threading.active_count() == threads
    assert not list(tmp_path.iterdir())


def test_a_send_is_checked_like_a_real_one(notifications: Notifications) -> None:
    for to, data in (("", ALERT), ("ada", {"title": "no type", "message": "m"}), ("a\nb", ALERT)):
        with pytest.raises(InvalidInput):
            send_notification(to, data)
    with pytest.raises(InvalidInput, match="no event"):
        send_notification("ada", {}, event="never-defined")
    assert len(notifications) == 0


def test_a_key_sends_once(notifications: Notifications) -> None:
    first = send_notification("ada", ALERT, idempotency_key="order-7")
    assert send_notification("ada", ALERT, idempotency_key="order-7") == first
    with pytest.raises(IdempotencyMismatch):
        send_notification("bob", ALERT, idempotency_key="order-7")
    assert len(notifications) == 1


def test_commit_rollback_and_savepoint_decide(notifications: Notifications, session: Session) -> None:
    send_notification("kept", ALERT, session=session)
    assert len(notifications) == 0
    session.commit()
    send_notification("lost", ALERT, session=session)
    session.rollback()
    with session.begin_nested() as savepoint:
        send_notification("lost too", ALERT, session=session)
        savepoint.rollback()
    with session.begin_nested():
        send_notification("released", ALERT, session=session)
    assert len(notifications) == 1
    session.commit()
    assert [sent.recipients for sent in notifications] == [("kept",), ("released",)]


def test_a_scoped_session(notifications: Notifications) -> None:
    engine = sa.create_engine("sqlite://")
    session = scoped_session(sessionmaker(engine))
    send_notification("ada", ALERT, session=session)
    session.commit()
    session.remove()
    engine.dispose()
    assert len(notifications) == 1


def test_what_is_due_later_waits_for_the_clock() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    notifications = Notifications()
    notifications.waiting = [
        Sent(name, "alert", {}, ("ada",), "system", None, noon + timedelta(hours=hours))
        for name, hours in (("late", 2), ("soon", 1))
    ]
    assert notifications.deliver(at=noon) == []
    assert [sent.id for sent in notifications.deliver(at=noon + timedelta(hours=3))] == ["soon", "late"]
    assert [sent.id for sent in notifications] == ["soon", "late"]
    with pytest.raises(ValueError, match="time zone"):
        notifications.deliver(at=datetime(2030, 1, 1))  # noqa: DTZ001


def test_captures_can_be_nested_and_end() -> None:
    with capture() as outer:
        with capture() as inner:
            send_notification("ada", ALERT)
        send_notification("bob", ALERT)
    assert [sent.recipients for sent in inner] == [("ada",)]
    assert [sent.recipients for sent in outer] == [("bob",)]
    assert sending.divert(None) is None
