"""Sends by the library alone: durable, checked, in the caller's transaction, with the caller's driver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from notifier import Alert, InvalidInput, define_event, send_notification, update_badge
from notifier.outbox.tables import notifications
from notifier.send import default_sender

ALERT = Alert(title="Order shipped", message="It is on its way.", type="success")


def stored(engine: sa.Engine) -> list[tuple[str, str, object]]:
    """Return what is stored: event, recipient, audience."""
    n = notifications.c
    with engine.connect() as connection:
        query = sa.select(n.event, n.recipient, n.audience).order_by(n.number)
        return [tuple(row) for row in connection.execute(query)]  # type: ignore[misc]


@pytest.fixture(params=["", "psycopg2", "psycopg"])
def engine(request: pytest.FixtureRequest, configured: str) -> Iterator[sa.Engine]:
    """An application's engine on the same database; on PostgreSQL with either driver."""
    if bool(request.param) != configured.startswith("postgresql"):
        pytest.skip("a driver of the other database")
    if request.param:
        pytest.importorskip(request.param)
    url = sa.engine.make_url(configured)
    engine = sa.create_engine(url.set(drivername=f"postgresql+{request.param}") if request.param else url)
    yield engine
    engine.dispose()


def test_sends_are_stored_and_the_workers_are_woken(own_engine: sa.Engine, tmp_path: Path) -> None:
    send_notification("user-7", ALERT)
    send_notification(["user-7", "user-8", "user-7"], {"title": "Hi", "message": "You all.", "type": "info"})
    update_badge("user-7", "messages", 3)
    assert stored(own_engine) == [
        ("alert", "user-7", None),
        ("alert", None, ["user-7", "user-8"]),
        ("badge", "user-7", None),
    ]
    assert default_sender().waker.flush(10)  # type: ignore[attr-defined]
    tasks = [json.loads(file.read_text()) for file in (tmp_path / "var" / "broker" / "tasks").glob("*.msg")]
    assert tasks
    assert {task["headers"]["task"] for task in tasks} == {"notifier.send_notification"}


def test_a_send_joins_the_callers_transaction(engine: sa.Engine) -> None:
    with Session(engine) as session:
        send_notification("kept", ALERT, session=session)
        assert stored(engine) == [] or engine.dialect.name == "sqlite"
        session.commit()
        send_notification("lost", ALERT, session=session)
        session.rollback()
        send_notification("kept-too", ALERT, session=session)
        with session.begin_nested() as savepoint:
            send_notification("lost-with-the-savepoint", ALERT, session=session)
            savepoint.rollback()
        session.commit()
    assert [recipient for _, recipient, _ in stored(engine)] == ["kept", "kept-too"]


def test_a_scoped_session_as_in_flask_sqlalchemy(engine: sa.Engine) -> None:
    session = scoped_session(sessionmaker(engine))
    send_notification(["ada", "bob"], ALERT, session=session)
    session.commit()
    session.remove()
    assert stored(engine) == [("alert", None, ["ada", "bob"])]


def test_an_idempotency_key_stores_once(own_engine: sa.Engine) -> None:
    first = send_notification("user-7", ALERT, idempotency_key="order-7")
    assert send_notification("user-7", ALERT, idempotency_key="order-7") == first
    assert len(stored(own_engine)) == 1


class Parcel(BaseModel):
    """An application's event."""

    number: str


def test_an_application_event(own_engine: sa.Engine) -> None:
    define_event("parcel", Parcel, inbox=False)
    send_notification("user-7", Parcel(number="P-1"))
    with pytest.raises(InvalidInput, match="colour: Extra inputs"):
        send_notification("user-7", {"number": "P-1", "colour": "red"}, event="parcel")
    assert stored(own_engine) == [("parcel", "user-7", None)]
