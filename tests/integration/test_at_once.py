"""The one statement: what it takes, where it stops, what it leaves alone, and who may run beside it.

That it writes what the general way writes is held by all other tests of the store: `World.dispatch` tries it
first, as a worker does.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import at_once, dispatch, erased, log_base
from models.store.advance import SomethingOwed
from models.store.fan_out import Dispatched
from models.tables import inboxes, owed
from notifier.core import categories
from notifier.core.categories import Category, Reach
from notifier.core.errors import DatabaseLocked
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from tests.harness.people import People, v
from tests.harness.waiting import until
from tests.harness.world import Published, World, alert, settings
from worker.dispatcher import Dispatcher


@pytest.fixture
def world(postgres_database: Database) -> World:
    return World(postgres_database)


WAITING = sa.select(sa.func.count().label("count")).select_from(
    sa.text("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
)


def at_a_stroke(world: World, limit: int = 200) -> Dispatched | None:
    work = partial(at_once.dispatch_plain, limit=limit, now=world.tick(), woken_at=world.now)
    return world.database.run_at_once(work)


def statements(world: World, work: Any) -> list[str]:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(world.database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa.event.remove(world.database.engine, "before_cursor_execute", note)
    return seen


# ---------------------------------------------------------------------- what it does


def test_it_is_one_statement_and_returns_what_is_to_be_published(world: World) -> None:
    world.arrive("u1", 2)
    ids = [world.send("u1", title="a"), world.send("u2", title="b"), world.send("u1", title="c")]
    done: list[Any] = []
    assert len(statements(world, lambda: done.append(at_a_stroke(world)))) == 1
    (told,) = done
    assert (told.ids, told.finished, told.more) == (ids, ids, False)
    assert [(user, entry.seq, entry.unread, entry.data["title"]) for user, entry in told.entries] == [
        ("u1", 3, 3, "a"),
        ("u2", 1, 1, "b"),
        ("u1", 4, 4, "c"),
    ]
    assert [entry for user, entry in told.entries if user == "u1"] == world.log("u1")[2:]
    for id in ids:
        row = world.notification(id)
        assert (row.state, row.position, row.reached, row.audience) == ("dispatched", 1, 1, None)
        assert row.dispatched_at == row.woken_at == world.now
    assert world.violations() == []


def test_nothing_waits(world: World) -> None:
    assert at_a_stroke(world) == Dispatched()


def test_it_keeps_its_limit_and_says_that_more_wait(world: World) -> None:
    ids = [world.send("u1") for _ in range(5)]
    done = at_a_stroke(world, limit=2)
    assert done is not None
    assert (done.ids, done.more) == (ids[:2], True)


def test_times_are_never_before_acceptance(world: World) -> None:
    """The worker's clock may be behind that of the process which accepted."""
    id = world.send("u1")
    accepted = world.now
    world.now = accepted.replace(year=accepted.year - 1)
    at_a_stroke(world)
    row = world.notification(id)
    assert row.dispatched_at == row.woken_at == accepted
    assert world.violations() == []


def test_a_failed_one_is_not_taken_before_its_time(world: World) -> None:
    id = world.send("u1")
    world.sql("UPDATE notifier_notifications SET next_attempt_at = :at", at=world.now.replace(year=2030))
    later = world.send("u1")
    done = at_a_stroke(world)
    assert done is not None
    assert done.ids == [later]
    assert world.notification(id).state == "accepted"


# ---------------------------------------------------------------------- where it stops


OTHERS = {
    "badge": {"event": "badge", "data": {"type": "tasks", "count": 1}},
    "category": {"category": "orders"},
    "collapse key": {"collapse_key": "k"},
    "expiry": {"expires_in": 3600},
}


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(categories._categories, "orders", Category("orders", "Orders"))


@pytest.mark.usefixtures("orders")
@pytest.mark.parametrize("kind", OTHERS)
def test_it_stops_in_front_of_what_is_not_plain(world: World, kind: str) -> None:
    first, other, last = world.send("u1"), world.accept("u2", **OTHERS[kind]).id, world.send("u1")
    done = at_a_stroke(world)
    assert done is not None
    assert (done.ids, done.more) == ([first], True)
    assert at_a_stroke(world) is None, "the next one is not plain"
    assert {world.notification(id).state for id in (other, last)} == {"accepted"}
    world.dispatch()
    assert [entry.id for entry in world.log("u1")] == [first, last]


def test_it_stops_in_front_of_one_to_several_users(world: World) -> None:
    first, _, last = world.send("u1"), world.send("u1", "u2"), world.send("u1")
    done = at_a_stroke(world)
    assert done is not None
    assert done.ids == [first]
    assert at_a_stroke(world) is None
    assert world.notification(last).state == "accepted"


def test_it_does_nothing_when_anybody_has_preferences(world: World) -> None:
    world.send("u1")
    People(world).add("somebody else", preferences={"categories": {"orders": {"inbox": v("off")}}})
    assert at_a_stroke(world) is None


@pytest.mark.parametrize("more", [{"reach": {"email": Reach()}}, {"defaults": {"inbox": "off"}}])
def test_it_does_nothing_when_the_general_category_has_channels_or_defaults(
    world: World, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send("u1")
    general = Category("general", "General", **more)
    monkeypatch.setattr(at_once, "category", {"general": general}.get)
    assert statements(world, lambda: at_a_stroke(world)) == []


def test_it_does_nothing_while_something_is_owed(world: World) -> None:
    world.arrive("u1")
    with locked(world, "u1"):
        first = world.send("u1", "u2")
        world.dispatch()
    assert world.count(owed) == 1
    last = world.send("u1")
    assert at_a_stroke(world) is None
    world.dispatch()  # what is owed goes first,
    world.dispatch()  # and then what came later
    assert [entry.id for entry in world.log("u1")][1:] == [first, last]


@contextmanager
def locked(world: World, user: str) -> Iterator[None]:
    with world.database.engine.connect() as other:
        other.execute(sa.select(inboxes).where(inboxes.c.user_id == user).with_for_update())
        yield


def test_a_locked_inbox_ends_it_and_nothing_is_done(world: World) -> None:
    world.arrive("u1")
    world.send("u0")
    world.send("u1")
    with locked(world, "u1"), pytest.raises(DatabaseLocked):
        at_a_stroke(world)
    assert world.count(inboxes) == 1
    assert world.violations() == []
    done = at_a_stroke(world)
    assert done is not None
    assert len(done.ids) == 2


# ---------------------------------------------------------------------- where logs begin


def test_after_a_change_of_the_timeline_the_general_way_goes_first(world: World) -> None:
    world.arrive("u1", 2)
    world.sql("UPDATE notifier_restores SET wal_timeline = wal_timeline - 1")
    world.send("u1")
    world.send("u2")
    assert at_a_stroke(world) is None
    world.dispatch()
    with world.database.read() as connection:
        base = log_base.current(connection)
    assert base > 0
    assert world.head("u1") == (base + 1, 3)
    world.send("u1")
    world.send("u3")
    world.send("u3")
    done = at_a_stroke(world)
    assert done is not None
    assert [entry.seq for _, entry in done.entries] == [base + 2, base + 1, base + 2]


def test_a_log_that_stood_still_since_the_base_goes_on_from_it(world: World) -> None:
    world.arrive("u1", 2)
    world.sql("UPDATE notifier_restores SET wal_timeline = wal_timeline - 1")
    world.arrive("u2")
    with world.database.read() as connection:
        base = log_base.current(connection)
    world.send("u1")
    world.send("u1")
    done = at_a_stroke(world)
    assert done is not None
    assert [(entry.seq, entry.unread) for _, entry in done.entries] == [(base + 1, 3), (base + 2, 4)]


def test_the_new_log_of_somebody_who_was_erased_begins_beyond_the_old_one(world: World) -> None:
    world.arrive("u1")
    world.database.run(lambda c: erased.note(c, "gone \\ö", head=41, finished=True, now=now()))
    with world.database.read() as connection:
        began = erased.bases(connection, ["gone \\ö"])["gone \\ö"]
    for user in ("gone \\ö", "u1", "gone \\ö", "new"):
        world.send(user)
    done = at_a_stroke(world)
    assert done is not None
    assert [(user, entry.seq) for user, entry in done.entries] == [
        ("gone \\ö", began + 1),
        ("u1", 2),
        ("gone \\ö", began + 2),
        ("new", 1),
    ]
    row = world.one(sa.select(inboxes).where(inboxes.c.user_id == "gone \\ö"))
    assert (row.seq, row.unread, row.purged_seq) == (began + 2, 2, began)
    world.send("gone \\ö")
    assert (again := at_a_stroke(world)) is not None
    assert again.entries[0][1].seq == began + 3


# ---------------------------------------------------------------------- several drainers


def test_what_another_drainer_owes_meanwhile_is_not_overtaken(world: World) -> None:
    """The other one took a notification to several users, and will owe it to one of them."""
    world.arrive("u1")
    first = world.send("u1", "u2")
    last = world.send("u1")
    with locked(world, "u1"), world.database.engine.connect() as other:
        work = partial(dispatch.dispatch_batch, limit=1, now=world.tick(), careful=True)
        assert work(other).busy == {"u1"}
        assert at_a_stroke(world) is None, "the one in front of it waits at this moment"
        other.commit()
    assert at_a_stroke(world) is None
    world.dispatch()  # what is owed goes first,
    world.dispatch()  # and then what came later
    assert [entry.id for entry in world.log("u1")][1:] == [first, last]


def test_many_drainers_and_senders_keep_every_users_order(world: World) -> None:
    """Both ways beside each other, with notifications of every kind: no loss, no double, no deadlock."""
    users = [f"u{number}" for number in range(6)]
    sent: dict[str, list[str]] = {user: [] for user in users}
    chance = random.Random(7)
    over = threading.Event()
    failed: list[BaseException] = []

    def send(user: str) -> None:
        mine = World(world.database)
        for _ in range(60):
            if chance.random() < 0.8:
                sent[user].append(mine.send(user))
            else:
                sent[user].append(mine.accept(user, **chance.choice([OTHERS["badge"], OTHERS["expiry"]])).id)

    def drain(plainly: bool) -> None:
        while not over.is_set():
            drain_once(plainly)

    def drain_once(plainly: bool) -> int:
        try:
            moment = now()
            done = None
            if plainly:
                work = partial(at_once.dispatch_plain, limit=7, now=moment)
                try:
                    done = world.database.run_at_once(work)
                except DatabaseLocked:
                    done = None
            if done is None:
                general = partial(dispatch.dispatch_batch, limit=7, now=moment)
                try:
                    done = world.database.run(general)
                except (DatabaseLocked, SomethingOwed):
                    done = world.database.run(partial(general, careful=True))
            return len(done.ids)
        except BaseException as exc:
            failed.append(exc)
            over.set()
            raise

    senders = [threading.Thread(target=send, args=(user,)) for user in users]
    drainers = [threading.Thread(target=drain, args=(plainly,)) for plainly in (True, True, False)]
    for thread in [*senders, *drainers]:
        thread.start()
    for thread in senders:
        thread.join()
    over.set()
    for thread in drainers:
        thread.join()
    assert not failed
    while drain_once(True):
        pass
    for user in users:
        assert [entry.id for entry in world.log(user)] == sent[user]
    assert world.violations() == []


def test_what_waits_behind_what_another_drainer_took_is_dispatched(world: World) -> None:
    """The other one may die before it comes to it, and the wake-up was this one's."""
    world.arrive("u1")
    first, badge = world.send("u1"), world.badge("u2", "tasks", 1)
    dispatcher = Dispatcher(world.database, Published(), settings())
    with world.database.engine.connect() as other:
        assert dispatch.dispatch_batch(other, limit=1, now=world.tick()).ids == [first]
        drain = threading.Thread(target=dispatcher.drain)
        drain.start()
        until(lambda: world.one(WAITING).count == 1, 10, "it waits for the other drainer")
        other.commit()
        drain.join()
    assert world.notification(badge).state == "dispatched"
    assert world.violations() == []


def test_alert_of_the_harness_is_plain(world: World) -> None:
    """Else this file would test nothing."""
    world.accept("u1", data=alert("x"))
    assert at_a_stroke(world) is not None
