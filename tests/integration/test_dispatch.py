"""Dispatch gives every recipient the next seq, in the order of acceptance, however many workers drain at once."""

from __future__ import annotations

import json
import multiprocessing
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
import sqlalchemy as sa

from models.store import dispatch, failures, status
from models.tables import badges, deliveries, inboxes
from notifier.core import frames
from notifier.outbox import engine
from notifier.outbox.engine import Database, make_engine
from tests.harness.world import World, alert

DRAINERS = 4


# ---------------------------------------------------------------------- one drainer


def test_seqs_count_up_by_one_from_one_for_each_user(world: World) -> None:
    ids = [world.send("u1"), world.send("u2"), world.send("u1", "u2"), world.send("u1")]
    world.dispatch()
    assert [(e.seq, e.id) for e in world.log("u1")] == [(1, ids[0]), (2, ids[2]), (3, ids[3])]
    assert [(e.seq, e.id) for e in world.log("u2")] == [(1, ids[1]), (2, ids[2])]


def test_what_is_to_be_published_is_what_the_log_holds(world: World) -> None:
    world.send("u1", "u2")
    world.badge("u1", "tasks", 3)
    world.send("u1")
    published = world.dispatch()
    assert [entry for user, entry in published if user == "u1"] == world.log("u1")
    assert [entry for user, entry in published if user == "u2"] == world.log("u2")


def test_the_frame_of_a_plain_alert_has_no_more_fields_than_ever(world: World) -> None:
    world.send("u1")
    world.send("u1", "u2")
    large = world.send(*(f"u{number}" for number in range(1, 121)))
    published = [*world.dispatch(), *world.chunk(large, 200).entries]
    assert len(published) == 1 + 2 + 120
    replayed = [("u1", entry) for entry in world.log("u1")]
    for user, entry in [*published, *replayed]:
        frame = json.loads(frames.event(user, entry))
        assert set(frame) == {"op", "seq", "event", "id", "room", "from", "timestamp", "data", "unread"}


def test_unread_is_exact_at_every_entry(world: World) -> None:
    world.send("u1")
    world.badge("u1", "tasks", 3)
    world.send("u1")
    world.dispatch()
    world.read_through("u1", 1)
    world.send("u1")
    world.dispatch()
    assert [entry.unread for entry in world.log("u1")] == [1, 1, 2, 1, 2]
    assert world.head("u1") == (5, 2)


def test_the_newest_badge_wins_in_one_batch_and_over_several(world: World) -> None:
    for count in (3, 1, 2):
        world.badge("u1", "tasks", count)
    world.badge("u1", "messages", 9)
    world.dispatch()
    assert world.snapshot("u1").badges == {"tasks": 2, "messages": 9}
    world.badge("u1", "tasks", 0)
    world.dispatch()
    assert world.snapshot("u1").badges == {"tasks": 0, "messages": 9}
    assert world.one(sa.select(badges.c.seq).where(badges.c.type == "tasks")).seq == 5


def test_a_badge_is_not_an_inbox_entry(world: World) -> None:
    world.badge("u1", "tasks", 3)
    world.dispatch()
    assert world.head("u1") == (1, 0)
    assert world.page("u1") == []
    assert [(e.seq, e.event, e.inbox) for e in world.log("u1")] == [(1, "badge", False)]


def test_a_dispatched_row_is_marked_and_a_second_dispatch_finds_nothing(world: World) -> None:
    id = world.send("u1", "u2")
    number = world.notification(id).number
    world.dispatch()
    row = world.notification(id)
    assert (row.state, row.reached, row.dispatched_at) == ("dispatched", 2, world.now - timedelta(seconds=1))
    before = world.log("u1"), world.head("u1"), world.count(deliveries)
    assert world.dispatch() == []
    again = world.database.run(lambda c: dispatch.dispatch_one(c, number, now=world.now))
    assert again.entries == ()
    assert (world.log("u1"), world.head("u1"), world.count(deliveries)) == before


def test_the_database_itself_refuses_a_second_copy_and_a_second_seq(world: World) -> None:
    id = world.send("u1", "u2")
    world.dispatch()
    again = "INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at)"
    row = "FROM notifier_deliveries WHERE user_id = :user"
    for columns in ("user_id, seq + 1, notification_id", "user_id, seq, notification_id"):
        with pytest.raises(sa.exc.IntegrityError):
            world.sql(f"{again} SELECT {columns}, inbox, unread, persisted_at {row}", user="u1")
    assert [entry.id for entry in world.log("u1")] == [id]


def test_a_dispatch_that_is_rolled_back_leaves_nothing(world: World) -> None:
    id = world.send("u1")

    def dispatch_and_fail(connection: sa.Connection) -> None:
        assert dispatch.dispatch_batch(connection, limit=10, now=world.now).entries
        raise KeyError

    with pytest.raises(KeyError):
        world.database.run(dispatch_and_fail)
    assert world.notification(id).state == "accepted"
    assert world.count(deliveries) == world.count(inboxes) == 0
    world.dispatch()
    assert world.head("u1") == (1, 1)


def test_a_batch_keeps_its_limit_and_its_order(world: World) -> None:
    ids = [world.send("u1") for _ in range(5)]
    with world.database.write() as connection:
        done = dispatch.dispatch_batch(connection, limit=2, now=world.now)
    assert done.ids == ids[:2]
    world.dispatch(limit=2)
    assert [entry.id for entry in world.log("u1")] == ids


def test_a_batch_is_bounded_by_its_recipients_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "MAX_BATCH", 5)
    ids = [world.send("a", "b", "c") for _ in range(3)]
    with world.database.write() as connection:
        assert dispatch.dispatch_batch(connection, limit=10, now=world.now).ids == ids[:1]
    world.dispatch()
    assert [entry.id for entry in world.log("a")] == ids


def test_the_users_of_the_contract_are_ordinary_and_apart(world: World) -> None:
    users = ["a/b", "*", "#", "..", "user:7", "u.1", "1", "日本", "%", "_", "' OR 1=1 --", "A/B", "a/b "]
    for user in users:
        world.send(user, title=user)
    world.dispatch()
    for user in users:
        assert [entry.data["title"] for entry in world.log(user)] == [user]
        assert [item.data["title"] for item in world.page(user)] == [user]


# ---------------------------------------------------------------------- large audiences


def test_a_large_audience_is_reached_chunk_by_chunk_each_once(world: World) -> None:
    users = [f"u{n:03}" for n in range(250)]
    id = world.send(*users)
    reached = []
    for expected in (100, 200, 250):
        done = world.chunk(id, 100)
        reached += [user for user, _ in done.entries]
        assert world.notification(id).reached == expected
        assert done.more is (expected != 250)
    assert reached == users
    assert world.notification(id).state == "dispatched"
    assert world.chunk(id, 100).entries == ()
    assert world.violations() == []


def test_the_single_lane_leaves_bulk_alone(world: World) -> None:
    bulk, single = world.send(*(f"u{n}" for n in range(101))), world.send("u1")
    world.dispatch()
    assert [world.notification(id).state for id in (bulk, single)] == ["accepted", "dispatched"]


def test_a_send_to_some_waits_for_a_bulk_one_accepted_before_it(world: World) -> None:
    bulk = world.send(*(f"u{n:03}" for n in range(150)))
    some, single = world.send("u149", "u000", title="some"), world.send("u149", title="single")
    assert [entry.id for _, entry in world.dispatch()] == [single]  # only these wait for a bulk one
    world.chunk(bulk, 100)
    assert world.dispatch() == []
    world.chunk(bulk, 100)
    assert [entry.id for _, entry in world.dispatch()] == [some, some]
    assert [entry.id for entry in world.log("u149")] == [single, bulk, some]


def test_a_bulk_one_that_waits_for_its_next_attempt_delays_nobody(world: World) -> None:
    bulk = world.send(*(f"u{n:03}" for n in range(150)))
    world.database.run(
        lambda c: failures.postpone(
            c, bulk, "broken", now=world.now, delay=timedelta(seconds=60), max_attempts=3
        )
    )
    some = world.send("u1", "u2")
    assert {entry.id for _, entry in world.dispatch()} == {some}


def test_after_a_crash_between_two_chunks_the_next_one_continues(world: World) -> None:
    users = [f"u{n:03}" for n in range(150)]
    id = world.send(*users)
    world.chunk(id, 100)

    def dispatch_and_fail(connection: sa.Connection) -> None:
        assert dispatch.dispatch_chunk(connection, id, size=100, now=world.now).entries
        raise KeyError

    with pytest.raises(KeyError):
        world.database.run(dispatch_and_fail)
    assert world.violations() == []
    world.chunk(id, 100)
    assert all(world.head(user) == (1, 1) for user in users)


# ---------------------------------------------------------------------- what waits for its time


def test_a_row_waits_for_its_next_attempt(world: World) -> None:
    id = world.send("u1")
    number = world.notification(id).number
    wait = timedelta(seconds=60)
    state = world.database.run(
        lambda c: failures.postpone(c, number, "broken", now=world.now, delay=wait, max_attempts=3)
    )
    assert state == "accepted"
    assert world.dispatch() == []
    world.tick(60)
    assert len(world.dispatch()) == 1


def test_what_is_dispatched_cannot_be_postponed(world: World) -> None:
    id = world.send("u1")
    number = world.notification(id).number
    world.dispatch()
    state = world.database.run(
        lambda c: failures.postpone(c, number, "late", now=world.now, delay=timedelta(0), max_attempts=1)
    )
    assert state == "dispatched"
    assert (world.notification(id).state, world.notification(id).attempts) == ("dispatched", 0)


def test_a_dead_one_waits_again_after_a_replay_and_is_gone_after_a_drop(world: World) -> None:
    ids = [world.send("u1"), world.send("u1")]
    for id in ids:
        number = world.notification(id).number
        world.database.run(
            lambda c, n=number: failures.postpone(
                c, n, "broken", now=world.now, delay=timedelta(0), max_attempts=1
            )
        )
    assert world.dispatch() == []
    assert world.database.run(lambda c: status.replay(c, ids[0]))
    assert world.database.run(lambda c: status.drop(c, ids[1]))
    assert not world.database.run(lambda c: status.replay(c, ids[1]))
    assert [entry.id for _, entry in world.dispatch()] == [ids[0]]
    assert world.violations() == []


# ---------------------------------------------------------------------- many drainers at once


def drain(database: Database, stop: Callable[[], bool], limit: int) -> list[tuple[str, int, str | None]]:
    """Dispatch as a worker does until told to stop; return what it would publish."""
    world, published = World(database), []
    while True:
        last_round = stop()
        published += [(user, entry.seq, entry.id) for user, entry in world.dispatch(limit)]
        if last_round:
            return published


def audiences(seed: int, how_many: int) -> list[list[str]]:
    """Return overlapping audiences in every order, so that wrong locking would deadlock."""
    chance = random.Random(seed)
    users = [f"u{n}" for n in range(12)]
    return [chance.sample(users, chance.randint(1, 8)) for _ in range(how_many)]


def assert_whole(world: World, sent: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Check that every log is without gaps and exact."""
    assert world.violations() == []
    for user in {user for _, users in sent for user in users}:
        log = world.log(user)
        assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
        assert [entry.unread for entry in log] == list(range(1, len(log) + 1))
    assert world.count(deliveries) == sum(len(users) for _, users in sent)


def assert_in_order(world: World, sent: Sequence[tuple[str, Sequence[str]]]) -> None:
    """What was accepted one after the other is in this order in every log."""
    own = {id for id, _ in sent}
    for user in {user for _, users in sent for user in users}:
        wanted = [id for id, users in sent if user in users]
        assert [entry.id for entry in world.log(user) if entry.id in own] == wanted


def test_four_drainers_in_threads_make_one_order(world: World) -> None:
    """Senders continue while the workers race; two sends of one sender keep their order for every user."""
    stop, together = Event(), Barrier(DRAINERS + 3)

    def drainer(_: int) -> list[tuple[str, int, str | None]]:
        together.wait()
        return drain(world.database, stop.is_set, limit=7)

    def sender(seed: int) -> list[tuple[str, list[str]]]:
        own = World(world.database)
        together.wait()
        return [(own.accept(*users, data=alert(f"{seed}")).id, users) for users in audiences(seed, 40)]

    with ThreadPoolExecutor(DRAINERS + 3) as pool:
        drainers = [pool.submit(drainer, n) for n in range(DRAINERS)]
        try:
            by_sender = [job.result() for job in [pool.submit(sender, seed) for seed in range(3)]]
        finally:
            stop.set()
        published = [one for job in drainers for one in job.result()]
    sent = [one for senders in by_sender for one in senders]
    assert_whole(world, sent)
    assert len(published) == len(set(published)) == world.count(deliveries)
    for mine in by_sender:
        assert_in_order(world, mine)


def drain_in_a_process(url: str, together: Any, found: Any) -> None:
    database = Database(make_engine(url))
    together.wait()
    rounds = iter(range(3))
    found.put(drain(database, lambda: next(rounds) == 2, limit=5))
    database.dispose()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_four_drainers_in_processes_make_one_order(world: World) -> None:
    sent = [(world.send(*users), users) for users in audiences(7, 120)]
    url = world.database.engine.url.render_as_string(hide_password=False)
    context = multiprocessing.get_context("fork")
    together, found = context.Barrier(DRAINERS), context.Queue()
    workers = [
        context.Process(target=drain_in_a_process, args=(url, together, found)) for _ in range(DRAINERS)
    ]
    for worker in workers:
        worker.start()
    published = [one for _ in workers for one in found.get(timeout=60)]
    for worker in workers:
        worker.join(30)
    found.close()
    found.join_thread()
    assert_whole(world, sent)
    assert_in_order(world, sent)
    assert len(published) == len(set(published)) == world.count(deliveries)


def test_chunks_and_batches_and_changes_over_the_same_users_never_deadlock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RETRIES", 1)  # a deadlock is an error here, not a second try
    users = [f"u{n:03}" for n in range(120)]
    bulks = [world.send(*random.Random(seed).sample(users, 120)) for seed in range(2)]
    singles = [(world.send(*group), group) for group in (users[40::-1], users[20:60], users[60:10:-1])]
    together = Barrier(6)

    def chunks(id: str) -> None:
        together.wait()
        while world.chunk(id, 30).more:
            pass

    def batches() -> None:
        together.wait()
        World(world.database).dispatch(limit=1)

    def reads(order: int) -> None:
        together.wait()
        for user in users[::order]:
            World(world.database).read_through(user, 1)

    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(chunks, id) for id in bulks]
        jobs += [pool.submit(batches) for _ in range(2)]
        jobs += [pool.submit(reads, order) for order in (1, -1)]
        for job in jobs:
            job.result(timeout=60)
    world.dispatch()
    assert world.violations() == []
    assert world.count(deliveries) == 240 + sum(len(group) for _, group in singles)
    for user in users:
        log = world.log(user)
        assert [entry.seq for entry in log] == list(range(1, len(log) + 1))


def test_a_row_keeps_when_it_was_woken_for_and_published(world: World) -> None:
    single, woken = world.send("u1"), world.tick()
    moment = world.tick()
    world.database.run(lambda c: dispatch.dispatch_batch(c, limit=10, now=moment, woken_at=woken))
    swept = world.send("u1")
    world.dispatch()
    world.database.run(lambda c: dispatch.published(c, {single: moment, swept: world.now}))
    assert (world.notification(single).woken_at, world.notification(single).published_at) == (woken, moment)
    assert (world.notification(swept).woken_at, world.notification(swept).published_at) == (None, world.now)


def test_a_bulk_one_keeps_the_wake_up_of_its_first_chunk(world: World) -> None:
    id = world.send(*(f"u{number}" for number in range(150)))
    first, second = world.tick(), world.tick()
    for woken in (first, second):
        world.database.run(
            lambda c, woken=woken: dispatch.dispatch_chunk(c, id, size=100, now=woken, woken_at=woken)
        )
    row = world.notification(id)
    assert (row.state, row.woken_at, row.dispatched_at) == ("dispatched", first, second)
