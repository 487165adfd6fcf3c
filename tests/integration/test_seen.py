"""What was on the screen: a watermark that says nothing of read."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from models.store.seen import unseen_of
from notifier.core.log import SEEN
from tests.harness.world import World
from usecases.inbox_page import Status, inbox_page

USER = "u1"


def unseen(world: World, user: str = USER) -> tuple[int, int]:
    at = world.snapshot(user)
    page = inbox_page(world.database, user, Status.ALL, limit=1)
    assert (page.seen, page.unseen) == (at.seen, at.unseen)
    return at.seen, at.unseen


def test_it_is_a_watermark_with_a_log_entry_and_changes_no_count(world: World) -> None:
    world.arrive(USER, 3)
    assert unseen(world) == (0, 3)
    changed = world.seen(USER, 2)
    assert [(e.seq, e.event, e.data, e.unread) for e in changed.entries] == [(4, SEEN, {"through": 2}, 3)]
    assert (changed.seq, changed.unread) == world.head(USER) == (4, 3)
    assert world.log(USER)[-1] == changed.entries[0]
    assert unseen(world) == (2, 1)
    assert len(world.snapshot(USER).window or ()) == 3
    assert world.violations() == []


@pytest.mark.parametrize("through", [0, 1, 2])
def test_it_only_moves_forward(world: World, through: int) -> None:
    world.arrive(USER, 3)
    world.seen(USER, 2)
    assert not world.seen(USER, through).entries
    assert unseen(world) == (2, 1)


def test_it_ends_at_the_head(world: World) -> None:
    world.arrive(USER, 2)
    assert world.seen(USER, 1_000).entries[0].data == {"through": 2}
    assert world.seen("nobody", 3).entries == ()


def test_unseen_counts_what_is_unread_beyond_it(world: World) -> None:
    ids = world.arrive(USER, 8)
    world.seen(USER, 3)
    world.read(USER, ids[4])
    world.read_through(USER, 6)
    assert unseen(world) == (3, 2)  # the last two
    world.unread(USER, ids[1], ids[5])  # one below what was seen, one beyond
    assert unseen(world) == (3, 3)
    world.snooze(USER, ids[6])
    world.withdraw(ids[7])
    assert unseen(world) == (3, 1)
    world.read_through(USER, world.head(USER)[0])
    assert unseen(world) == (3, 0)


def test_it_is_exact_up_to_99_else_100(world: World) -> None:
    world.fill(USER, 150)
    assert unseen(world) == (0, 100)
    world.seen(USER, 50)
    assert unseen(world) == (50, 100)
    world.seen(USER, 51)
    assert unseen(world) == (51, 99)


def test_who_never_used_it_is_asked_for_nothing_more(world: World) -> None:
    world.arrive(USER, 3)
    world.arrive("u2", 3)
    world.seen("u2", 1)
    asked: list[str] = []

    def listen(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    with world.database.read() as connection:
        rows = {row.user_id: row for row in connection.execute(sa.text("SELECT * FROM notifier_inboxes"))}
        sa.event.listen(world.database.engine, "before_cursor_execute", listen)
        try:
            assert unseen_of(connection, [rows[USER]]) == {USER: 3}
            assert not asked
            assert unseen_of(connection, rows.values()) == {USER: 3, "u2": 2}
            assert len(asked) == 1
        finally:
            sa.event.remove(world.database.engine, "before_cursor_execute", listen)
