"""A captured send has the same life as a real one: it is canceled, changed, sent together and expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from notifier import cancel_notification, send_all, send_notification, update_badge, update_notification
from notifier.core.errors import Conflict, IdempotencyMismatch, InvalidInput, NotFound
from notifier.testing import capture

ALERT = {"title": "t", "message": "m", "type": "info"}


def test_what_has_expired_by_its_time_is_not_sent() -> None:
    due = datetime.now(UTC) + timedelta(days=3)
    with capture() as notifications:
        id = send_notification("u", ALERT, deliver_at=due, expires_in=60)
        assert notifications.deliver(at=due + timedelta(seconds=60)) == []
        assert (list(notifications), notifications.waiting) == ([], [])
        with pytest.raises(NotFound):
            cancel_notification(id)
        gone = send_notification("u", ALERT, expires_in=5)
        notifications.deliver(at=due + timedelta(days=1))
        with pytest.raises(Conflict):
            cancel_notification(gone)


def test_a_captured_batch_is_whole_or_nothing() -> None:
    one, other = {"user_id": "u", "data": ALERT}, {"user_id": "v", "data": ALERT}
    with capture() as notifications:
        with pytest.raises(IdempotencyMismatch) as told:
            send_all([one, {**one, "idempotency_key": "k"}, {**other, "idempotency_key": "k"}])
        assert told.value.problems[0]["loc"][0] == 2
        assert list(notifications) == []
        ids = send_all([{**one, "idempotency_key": "k"}] * 2)
        assert ids[0] == ids[1]
        assert len(notifications) == 1


def test_captured_ones_are_withdrawn_and_changed_as_in_earnest() -> None:
    with capture() as notifications, Session(create_engine("sqlite://")) as session:
        id = send_notification(["u", "v"], ALERT)
        with pytest.raises(InvalidInput, match="not an inbox entry"):
            update_notification(update_badge("u", "tasks", 1), {"type": "tasks", "count": 2})
        update_notification(id, {**ALERT, "title": "After"}, session=session)
        cancel_notification(id, session=session)
        session.rollback()
        assert (notifications[0].id, notifications[0].version) == (id, 1)
        update_notification(id, {**ALERT, "title": "After"}, version=1)
        assert notifications[0].data["title"] == "After"
        answer = cancel_notification(id)
        assert (answer.status, answer.recipients, answer.reached) == ("retracted", 2, 2)
        assert cancel_notification(id) == answer
        with pytest.raises(Conflict):
            update_notification(id, ALERT)
