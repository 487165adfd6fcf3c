"""Changes of state: every move of the table, watermarks, exact counts and exact times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
import sqlalchemy as sa

from models.tables import changes, deliveries, read_marks
from notifier.core.log import ARCHIVED, MOVES, READ, SNOOZE, UNREAD, UNSNOOZE, Item, Status
from notifier.outbox.engine import Database
from notifier.outbox.types import milliseconds
from tests.harness.world import World, alert

USER = "u1"
OPS = (READ, UNREAD, ARCHIVED)
STATES = (Status.UNREAD, Status.READ, Status.ARCHIVED)


def counted(world: World, user: str = USER) -> int:
    """Count the unread entries."""
    return sum(item.status is Status.UNREAD for item in world.page(user))


def put(world: World, id: str, state: Status, by_watermark: bool) -> None:
    """Bring a new entry into a state."""
    if state is not Status.UNREAD:
        if by_watermark:
            world.read_through(USER, world.head(USER)[0])
        else:
            world.read(USER, id)
    if state is Status.ARCHIVED:
        world.archive(USER, id)


# ---------------------------------------------------------------------- the table of moves


def test_the_table_of_moves_is_complete() -> None:
    assert set(MOVES) == {*OPS, SNOOZE, UNSNOOZE}
    for op, (sources, target) in MOVES.items():
        assert target not in sources or op == SNOOZE  # which may be given another time
        assert sources | {target} <= {*STATES, Status.SNOOZED}


@pytest.mark.parametrize("by_watermark", [False, True], ids=["by id", "by watermark"])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("op", OPS)
def test_every_move_from_every_state(world: World, op: str, state: Status, by_watermark: bool) -> None:
    (id,) = world.arrive(USER)
    put(world, id, state, by_watermark)
    seq, unread = world.head(USER)
    before = world.item(USER, id)
    assert before.status is state

    changed = world._change(USER, op, [id])

    sources, target = MOVES[op]
    after = world.item(USER, id)
    if state not in sources:
        assert (changed.entries, changed.seq, changed.unread) == ((), seq, unread)
        assert after == before
        return
    assert after.status is target
    data = {"ids": [id], "why": "user"} if op == ARCHIVED else {"ids": [id]}
    assert changed.entries == world.log(USER)[-1:]
    assert (changed.entries[0].seq, changed.entries[0].event, changed.entries[0].data) == (seq + 1, op, data)
    assert (changed.seq, changed.unread) == world.head(USER) == (seq + 1, counted(world))
    assert changed.entries[0].unread == counted(world) == (target is Status.UNREAD)
    assert list(changed.ids) == [id]
    assert world.violations() == []


def test_one_change_of_many_entries_is_one_event(world: World) -> None:
    ids = world.arrive(USER, 5)
    changed = world.read(USER, *ids[::-1], ids[0])
    assert (changed.seq, changed.unread) == (6, 0)
    assert changed.entries[0].data == {"ids": ids}
    assert world.count(changes) == 1


def test_only_what_moves_is_named(world: World) -> None:
    ids = world.arrive(USER, 3)
    world.read(USER, ids[1])
    assert world.read(USER, *ids).entries[0].data == {"ids": [ids[0], ids[2]]}
    assert world.unread(USER, ids[0]).unread == 1


def test_unknown_ids_and_another_users_are_ignored(world: World) -> None:
    (mine,), (theirs,) = world.arrive(USER), world.arrive("u2")
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert not world.read(USER, theirs, unknown).entries
    assert world.read(USER, mine, theirs).entries[0].data == {"ids": [mine]}
    assert world.head("u2") == (1, 1)
    assert world.item("u2", theirs).status is Status.UNREAD


def test_a_user_without_an_inbox_can_change_nothing(world: World) -> None:
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert (world.read("nobody", unknown).seq, world.read_through("nobody", 7).seq) == (0, 0)
    assert world.count(changes) == world.count(read_marks) == 0


def test_a_badge_cannot_be_read(world: World) -> None:
    badge = world.badge(USER, "tasks", 1)
    world.dispatch()
    assert not world.read(USER, badge).entries
    assert not world.archive(USER, badge).entries


def test_a_change_of_one_recipient_does_not_change_another(world: World) -> None:
    id = world.send(USER, "u2")
    world.dispatch()
    world.read(USER, id)
    assert world.item(USER, id).status is Status.READ
    assert world.item("u2", id).status is Status.UNREAD


# ---------------------------------------------------------------------- times


def at(moment: datetime) -> int:
    return milliseconds(moment)


def test_the_times_of_a_change_are_its_own(world: World) -> None:
    (id,) = world.arrive(USER)
    changed = world.read(USER, id)
    read = world.now
    assert world.item(USER, id).read_at == at(read) == changed.entries[0].timestamp
    world.archive(USER, id)
    assert (world.item(USER, id).read_at, world.item(USER, id).archived_at) == (at(read), at(world.now))
    world.unread(USER, id)
    assert (world.item(USER, id).read_at, world.item(USER, id).archived_at) == (None, None)


def test_archiving_what_is_unread_reads_it_at_the_same_time(world: World) -> None:
    (id,) = world.arrive(USER)
    world.archive(USER, id)
    assert world.item(USER, id).read_at == world.item(USER, id).archived_at == at(world.now)


def test_an_entry_was_read_at_the_first_watermark_that_covers_it(world: World) -> None:
    ids = world.arrive(USER, 3)
    world.read_through(USER, 2)
    first = world.now
    world.read_through(USER, 3)
    second = world.now
    assert [world.item(USER, id).read_at for id in ids] == [at(first), at(first), at(second)]


def test_what_was_read_by_itself_keeps_its_own_time_under_a_watermark(world: World) -> None:
    ids = world.arrive(USER, 2)
    world.read(USER, ids[0])
    own = world.now
    world.read_through(USER, 2)
    assert [world.item(USER, id).read_at for id in ids] == [at(own), at(world.now)]


def test_archiving_under_a_watermark_keeps_the_time_of_reading(world: World) -> None:
    (id,) = world.arrive(USER)
    world.read_through(USER, 1)
    read = world.now
    world.archive(USER, id)
    assert world.item(USER, id).read_at == at(read)


def test_what_was_read_has_been_delivered_and_stays_so(world: World) -> None:
    by_id, by_mark = world.arrive(USER, 2)
    world.read(USER, by_id)
    assert world.delivery(USER, by_id).delivered_at == world.now
    world.read_through(USER, 2)
    read = world.now
    world.unread(USER, by_id, by_mark)
    assert world.delivery(USER, by_id).delivered_at < read
    assert world.delivery(USER, by_mark).delivered_at == read


# ---------------------------------------------------------------------- watermarks


def states(world: World, user: str = USER) -> str:
    """Return the inbox from the oldest entry to the newest: u, r or a."""
    return "".join(item.status[0] for item in reversed(world.page(user)))


def test_a_watermark_reads_everything_up_to_it_with_one_event(world: World) -> None:
    world.arrive(USER, 5)
    changed = world.read_through(USER, 3)
    assert states(world) == "rrruu"
    assert (changed.seq, changed.unread, changed.entries[0].data) == (6, 2, {"through": 3})
    assert changed.entries[0].unread == 2
    assert changed.ids == ()
    assert world.violations() == []


def test_a_watermark_beyond_the_head_ends_at_the_head(world: World) -> None:
    world.arrive(USER, 2)
    assert world.read_through(USER, 2**63 - 1).entries[0].data == {"through": 2}
    world.arrive(USER)
    assert states(world) == "rru"
    assert world.head(USER) == (4, 1)


@pytest.mark.parametrize("through", [0, 1, 2])
def test_a_watermark_that_reads_nothing_makes_no_event(world: World, through: int) -> None:
    ids = world.arrive(USER, 3)
    world.read(USER, *ids[:2])
    assert not world.read_through(USER, through).entries
    assert world.head(USER) == (4, 1)
    assert world.read_through(USER, 3).unread == 0
    assert not world.read_through(USER, 3).entries


def test_a_second_watermark_goes_on_and_a_smaller_one_changes_nothing(world: World) -> None:
    world.arrive(USER, 6)
    world.read_through(USER, 4)
    assert not world.read_through(USER, 2).entries
    assert world.read_through(USER, 5).unread == 1
    assert states(world) == "rrrrru"
    assert counted(world) == 1


def test_an_entry_kept_unread_stays_so_below_the_watermark(world: World) -> None:
    ids = world.arrive(USER, 4)
    world.read_through(USER, 4)
    assert world.unread(USER, ids[1]).unread == 1
    world.arrive(USER, 2)
    assert states(world) == "rurruu"
    assert world.head(USER)[1] == counted(world) == 3
    assert world.violations() == []


def test_a_smaller_watermark_reads_what_was_kept_unread_below_it_and_no_more(world: World) -> None:
    ids = world.arrive(USER, 4)
    world.read_through(USER, 4)
    world.unread(USER, ids[0], ids[2])
    assert states(world) == "urur"
    changed = world.read_through(USER, 2)
    assert (changed.unread, changed.entries[0].data) == (1, {"through": 2})
    assert states(world) == "rrur"
    assert world.item(USER, ids[0]).read_at == at(world.now)
    assert world.violations() == []


def test_a_larger_watermark_reads_what_was_kept_unread_too(world: World) -> None:
    ids = world.arrive(USER, 3)
    world.read_through(USER, 2)
    world.unread(USER, ids[0])
    changed = world.read_through(USER, 3)
    assert (changed.unread, states(world)) == (0, "rrr")
    assert world.violations() == []


def test_what_was_marked_unread_before_any_watermark_is_read_by_the_first(world: World) -> None:
    (id,) = world.arrive(USER)
    world.read(USER, id)
    world.unread(USER, id)
    assert world.read_through(USER, 1).unread == 0
    assert states(world) == "r"
    world.unread(USER, id)
    assert states(world) == "u"
    assert world.violations() == []


def test_an_entry_read_again_after_it_was_kept_unread(world: World) -> None:
    (id,) = world.arrive(USER)
    world.read_through(USER, 1)
    world.unread(USER, id)
    world.read(USER, id)
    assert world.item(USER, id).read_at == at(world.now)
    assert world.head(USER)[1] == 0
    world.unread(USER, id)
    assert world.head(USER)[1] == counted(world) == 1


def test_a_watermark_does_not_restore_archived_entries(world: World) -> None:
    ids = world.arrive(USER, 2)
    world.archive(USER, ids[0])
    assert world.read_through(USER, 2).unread == 0
    assert states(world) == "ar"


def test_badges_between_the_entries_count_for_nothing(world: World) -> None:
    world.badge(USER, "tasks", 1)
    world.arrive(USER)
    world.badge(USER, "tasks", 2)
    world.dispatch()
    assert not world.read_through(USER, 1).entries
    assert world.read_through(USER, 3).unread == 0
    assert world.violations() == []


# ---------------------------------------------------------------------- a hundred thousand


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are executed."""
    seen: list[str] = []

    def listen(connection: object, cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", listen)


def test_reading_a_hundred_thousand_is_a_handful_of_statements_and_writes_no_delivery(world: World) -> None:
    world.fill(USER, 100_000)
    with statements(world.database) as seen:
        changed = world.read_through(USER, 100_000)
    written = [s.split()[1] for s in seen if s.startswith("UPDATE")]
    assert (changed.seq, changed.unread) == (100_001, 0)
    assert len([s for s in seen if not s.startswith("BEGIN")]) <= 8
    assert world.one(
        sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.read_at.is_not(None))
    ) == (0,)
    assert written.count("deliveries") <= 1, "at most the one that looks for what was kept unread"
    assert world.page(USER, limit=1)[0].read_at == at(world.now)
    assert world.page(USER, Status.UNREAD) == []


def test_an_item_has_its_state() -> None:
    def item(read_at: int | None, archived_at: int | None) -> Item:
        return Item(1, "alert", "id", "system", 1, alert(), read_at, archived_at)

    assert [item(None, None).status, item(1, None).status, item(1, 1).status] == list(STATES)
