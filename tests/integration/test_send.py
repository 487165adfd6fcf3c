"""Sending: durable before it returns, in the caller's transaction when asked, workers woken after the commit."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import notifier
from models.tables import notifications
from notifier import Alert, InvalidInput, send_notification, update_badge
from notifier import send as send_module
from notifier.core.draft import draft
from notifier.core.errors import DatabaseUnavailable, IdempotencyMismatch
from notifier.outbox.engine import Database, make_engine
from notifier.send import Sender
from tests.harness.waiting import free_port
from tests.harness.world import World, alert

ALERT = Alert(title="Order Shipped", message="m", type="success")
ID = "01890a5d-ac96-774b-bcce-b302099a8057"


@dataclass
class FakeWaker:
    """A waker that keeps the ids, and looks whether others can see the row at that moment."""

    database: Database
    single: list[str] = field(default_factory=list)
    bulk: list[str] = field(default_factory=list)

    def wake(self, id: str, *, bulk: bool = False) -> None:
        with self.database.read() as connection:
            seen = connection.scalar(sa.select(sa.func.count()).where(notifications.c.id == id))
        assert seen == 1, "woken before it was committed"
        (self.bulk if bulk else self.single).append(id)


@pytest.fixture
def waker(database: Database) -> Iterator[FakeWaker]:
    """The process's sender uses the test's database and this waker."""
    waker = FakeWaker(database)
    send_module.use(Sender(database, waker))
    yield waker
    send_module.use(None)


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A caller's SQLAlchemy session, with a table of its own beside ours."""
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS orders")
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    with Session(database.engine) as session:
        yield session
    with database.write() as connection:
        connection.exec_driver_sql("DROP TABLE orders")


def order(session: Session, number: int) -> None:
    """The caller's own change."""
    session.execute(sa.text("INSERT INTO orders VALUES (:id)"), {"id": number})


def stored(world: World) -> set[str]:
    with world.database.read() as connection:
        return set(connection.scalars(sa.select(notifications.c.id)))


# ---------------------------------------------------------------------- alone


def test_it_is_durable_and_workers_are_woken_when_it_returns(world: World, waker: FakeWaker) -> None:
    id = send_notification("u1", ALERT)
    row = world.notification(id)
    assert (row.state, row.recipient, row.audience, row.sender) == ("accepted", "u1", None, "system")
    assert row.data == {"title": "Order Shipped", "message": "m", "type": "success"}
    assert waker.single == [id]


def test_a_mapping_is_an_alert_unless_its_event_is_named(world: World, waker: FakeWaker) -> None:
    assert world.notification(send_notification("u1", alert())).event == "alert"
    badge = send_notification("u1", {"type": "tasks", "count": 1}, event="badge")
    assert world.notification(badge).event == "badge"


def test_many_recipients_are_one_notification(world: World, waker: FakeWaker) -> None:
    id = send_notification(["u1", "u2", "u1"], ALERT, sender="shop")
    assert (world.notification(id).audience, world.notification(id).sender) == (["u1", "u2"], "shop")


def test_a_large_audience_wakes_workers_in_its_own_lane(waker: FakeWaker) -> None:
    id = send_notification([f"u{n}" for n in range(101)], ALERT)
    assert (waker.single, waker.bulk) == ([], [id])


def test_a_badge_is_set_by_its_own_call(world: World, waker: FakeWaker) -> None:
    id = update_badge("u1", "messages", 3)
    world.dispatch()
    assert world.snapshot("u1").badges == {"messages": 3}
    assert waker.single == [id]


def test_a_replayed_one_wakes_nobody_again(world: World, waker: FakeWaker) -> None:
    first = send_notification("u1", ALERT, idempotency_key="k")
    assert send_notification("u1", ALERT, idempotency_key="k") == first
    assert send_notification("u1", ALERT, id=ID) == send_notification("u1", ALERT, id=ID) == ID
    assert waker.single == [first, ID]
    with pytest.raises(IdempotencyMismatch):
        send_notification("u2", ALERT, idempotency_key="k")


@pytest.mark.parametrize("to", ["", "a\n", [], ["a", ""], ["x" * 129]])
def test_wrong_input_stores_nothing(world: World, waker: FakeWaker, to: object) -> None:
    with pytest.raises(InvalidInput):
        send_notification(to, ALERT)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput):
        update_badge("u1", "messages", -1)
    assert stored(world) == set()
    assert waker.single == []


# ---------------------------------------------------------------------- in the caller's transaction


def test_it_is_in_the_callers_commit(world: World, waker: FakeWaker, session: Session) -> None:
    order(session, 7)
    id = send_notification("u1", ALERT, session=session)
    assert waker.single == []
    session.commit()
    assert stored(world) == {id}
    assert waker.single == [id]


def test_nobody_else_sees_it_before_the_commit(
    database: Database, world: World, waker: FakeWaker, session: Session
) -> None:
    send_notification("u1", ALERT, session=session)
    assert stored(world) == set()
    session.commit()
    assert len(world.dispatch()) == 1


def test_a_rollback_removes_it(world: World, waker: FakeWaker, session: Session) -> None:
    send_notification("u1", ALERT, session=session)
    session.rollback()
    order(session, 8)
    session.commit()
    assert stored(world) == set()
    assert waker.single == []


def test_it_is_gone_when_the_session_is_closed_without_a_commit(
    world: World, waker: FakeWaker, session: Session
) -> None:
    send_notification("u1", ALERT, session=session)
    session.close()
    order(session, 8)
    session.commit()
    assert stored(world) == set()
    assert waker.single == []


def test_a_commit_that_fails_wakes_nobody(world: World, waker: FakeWaker, session: Session) -> None:
    order(session, 7)
    session.commit()
    send_notification("u1", ALERT, session=session)
    with pytest.raises(sa.exc.IntegrityError):
        order(session, 7)
    session.rollback()
    assert stored(world) == set()
    assert waker.single == []


def test_a_released_savepoint_waits_for_the_outer_commit(
    world: World, waker: FakeWaker, session: Session
) -> None:
    first = send_notification("u1", ALERT, session=session)
    with session.begin_nested():
        second = send_notification("u1", ALERT, session=session)
        with session.begin_nested():
            third = send_notification("u1", ALERT, session=session)
    assert waker.single == []
    session.commit()
    assert stored(world) == {first, second, third}
    assert sorted(waker.single) == sorted([first, second, third])


def test_a_savepoint_rolled_back_takes_only_its_own(world: World, waker: FakeWaker, session: Session) -> None:
    first = send_notification("u1", ALERT, session=session)
    savepoint = session.begin_nested()
    send_notification("u1", ALERT, session=session)
    savepoint.rollback()
    last = send_notification("u1", ALERT, session=session)
    session.commit()
    assert stored(world) == {first, last}
    assert sorted(waker.single) == sorted([first, last])


def test_a_released_savepoint_inside_one_rolled_back_is_gone_too(
    world: World, waker: FakeWaker, session: Session
) -> None:
    outer = session.begin_nested()
    with session.begin_nested():
        send_notification("u1", ALERT, session=session)
    outer.rollback()
    kept = send_notification("u1", ALERT, session=session)
    session.commit()
    assert stored(world) == {kept}
    assert waker.single == [kept]


def test_a_released_savepoint_is_gone_with_the_outer_rollback(
    world: World, waker: FakeWaker, session: Session
) -> None:
    with session.begin_nested():
        send_notification("u1", ALERT, session=session)
    session.rollback()
    session.commit()
    assert stored(world) == set()
    assert waker.single == []


def test_a_session_is_used_for_one_transaction_after_the_other(
    world: World, waker: FakeWaker, session: Session
) -> None:
    ids = []
    for _ in range(3):
        ids.append(send_notification("u1", ALERT, session=session))
        session.commit()
        send_notification("u1", ALERT, session=session)
        session.rollback()
    assert stored(world) == set(ids)
    assert waker.single == ids


def test_a_scoped_session_is_joined_too(world: World, waker: FakeWaker, database: Database) -> None:
    registry = scoped_session(sessionmaker(database.engine))
    id = send_notification("u1", ALERT, session=registry)
    assert waker.single == []
    registry.commit()
    assert (stored(world), waker.single) == ({id}, [id])
    registry.remove()


def test_a_badge_joins_as_well(world: World, waker: FakeWaker, session: Session) -> None:
    id = update_badge("u1", "tasks", 1, session=session)
    session.rollback()
    assert stored(world) == set()
    id = update_badge("u1", "tasks", 1, session=session)
    session.commit()
    assert (stored(world), waker.single) == ({id}, [id])


def test_a_mismatch_leaves_the_callers_transaction_usable(
    world: World, waker: FakeWaker, session: Session
) -> None:
    send_notification("u1", ALERT, id=ID)
    order(session, 7)
    with pytest.raises(IdempotencyMismatch):
        send_notification("u2", ALERT, id=ID, session=session)
    kept = send_notification("u3", ALERT, session=session)
    session.commit()
    assert stored(world) == {ID, kept}


def test_a_waker_that_fails_does_not_undo_the_callers_commit(
    world: World, database: Database, session: Session
) -> None:
    """`Waker.wake` never fails; this tests a commit with one that does."""

    class Broken:
        def wake(self, id: str, *, bulk: bool = False) -> None:
            raise RuntimeError("broken bell")

    sender = Sender(database, Broken())
    accepted = sender.send(draft(user_id="u1", data=ALERT), session=session)
    with pytest.raises(RuntimeError, match="broken bell"):
        session.commit()
    assert stored(world) == {accepted.id}


# ---------------------------------------------------------------------- a database that is away


@pytest.fixture
def nowhere(tmp_path: object) -> Iterator[Sender]:
    """A sender whose database does not answer."""

    class Silent:
        def wake(self, id: str, *, bulk: bool = False) -> None:
            raise AssertionError("woken for what was not stored")

    database = Database(make_engine(f"postgresql+psycopg://127.0.0.1:{free_port()}/none"))
    yield Sender(database, Silent())
    database.dispose()


def test_a_database_outage_is_raised_at_once(nowhere: Sender) -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        nowhere.send(draft(user_id="u1", data=ALERT))
    assert (caught.value.status, caught.value.retry_after) == (503, 2)


def test_a_database_that_accepts_connections_and_does_not_answer_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        database = Database(make_engine(f"postgresql+psycopg://127.0.0.1:{server.getsockname()[1]}/none"))
        with pytest.raises(DatabaseUnavailable):
            database.check()
        database.dispose()


def test_a_locked_sqlite_file_is_a_database_that_is_away(sqlite_database: Database) -> None:
    other = Database(make_engine(str(sqlite_database.engine.url), lock_timeout=0.05))

    class Silent:
        def wake(self, id: str, *, bulk: bool = False) -> None: ...

    with sqlite_database.write(), pytest.raises(DatabaseUnavailable):
        Sender(other, Silent()).send(draft(user_id="u1", data=ALERT))
    assert Sender(other, Silent()).send(draft(user_id="u1", data=ALERT)).id
    other.dispose()


def test_a_pool_without_a_free_connection_is_a_database_that_is_away(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.outbox.engine.POOL_TIMEOUT", 0.05)
    narrow = Database(make_engine(str(sqlite_database.engine.url), pool_size=1))
    with narrow.read(), narrow.read(), pytest.raises(DatabaseUnavailable):
        narrow.check()
    narrow.check()
    narrow.dispose()


def test_a_wrong_statement_is_not_reported_as_a_database_outage(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


def test_the_package_exports_its_names() -> None:
    assert notifier.send_notification is send_notification
    assert set(notifier.__all__) <= set(dir(notifier)) | set(notifier._HOMES)
    for name in notifier.__all__:
        assert getattr(notifier, name)
    with pytest.raises(AttributeError):
        _ = notifier.nothing


def test_a_batch_wakes_once_and_once_more_for_each_large_audience(waker: FakeWaker) -> None:
    many = [{"user_id": f"u{n}", "data": ALERT} for n in range(5)]
    large = [{"user_ids": [f"u{n}" for n in range(101)], "data": ALERT}] * 2
    ids = notifier.send_all([*many, *large])
    assert (waker.single, waker.bulk) == ([ids[4]], ids[5:])
