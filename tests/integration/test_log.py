"""Reading: snapshots, replay, the window, and pages by keyset."""

from __future__ import annotations

import random

import pytest

from notifier.core.log import ARCHIVED, MAX_BEHIND, READ, UNREAD, WINDOW, Status, reset_reason
from tests.harness.world import World

USER = "u1"


def seqs(entries: object) -> list[int]:
    return [entry.seq for entry in entries]  # type: ignore[attr-defined]


# ---------------------------------------------------------------------- snapshots


def test_a_user_who_was_never_sent_anything_has_an_empty_log(world: World) -> None:
    fresh, resumed = world.snapshot("nobody"), world.snapshot("nobody", 0)
    assert (fresh.head, fresh.unread, fresh.badges, fresh.reset) == (0, 0, {}, None)
    assert (fresh.window, fresh.log) == ([], None)
    assert (resumed.head, list(resumed.log or []), resumed.reset) == (0, [], None)


def test_a_fresh_client_gets_the_window_and_a_resumed_one_the_log(world: World) -> None:
    world.arrive(USER, 3)
    fresh, resumed = world.snapshot(USER), world.snapshot(USER, 1)
    assert (fresh.head, fresh.unread, seqs(fresh.window), fresh.log) == (3, 3, [1, 2, 3], None)
    assert (resumed.head, resumed.unread, seqs(resumed.log), resumed.window) == (3, 3, [2, 3], None)


def test_a_client_at_the_head_gets_nothing(world: World) -> None:
    world.arrive(USER, 3)
    assert list(world.snapshot(USER, 3).log or []) == []


@pytest.mark.parametrize(
    ("after", "head", "purged", "reason"),
    [
        (0, 0, 0, None),
        (0, MAX_BEHIND, 0, None),
        (0, MAX_BEHIND + 1, 0, "behind"),
        (5, 5 + MAX_BEHIND, 0, None),
        (6, 5, 0, "ahead"),
        (1, 0, 0, "ahead"),
        (2**62, 7, 0, "ahead"),
        (9, 20, 10, "purged"),
        (10, 20, 10, None),
        (0, 20, 10, "purged"),
    ],
)
def test_when_a_client_must_be_reset(after: int, head: int, purged: int, reason: str | None) -> None:
    assert reset_reason(after, head, purged) == reason


def test_a_client_a_thousand_behind_is_caught_up_and_one_more_is_reset(world: World) -> None:
    world.fill(USER, MAX_BEHIND + 1)
    caught_up, afresh = world.snapshot(USER, 1), world.snapshot(USER, 0)
    assert seqs(caught_up.log) == list(range(2, MAX_BEHIND + 2))
    assert (afresh.reset, afresh.log, len(afresh.window or [])) == ("behind", None, WINDOW)


def test_a_client_ahead_of_the_head_is_reset(world: World) -> None:
    world.arrive(USER, 2)
    at = world.snapshot(USER, 3)
    assert (at.reset, seqs(at.window), at.head) == ("ahead", [1, 2], 2)
    assert world.snapshot("nobody", 1).reset == "ahead"


def test_a_client_older_than_what_is_kept_is_reset(world: World) -> None:
    world.arrive(USER, 5)
    world.sql("DELETE FROM notifier_deliveries WHERE seq <= 3")
    world.sql("UPDATE notifier_inboxes SET purged_seq = 3, unread = 2")
    assert world.snapshot(USER, 2).reset == "purged"
    assert seqs(world.snapshot(USER, 3).log) == [4, 5]


def test_a_snapshot_is_one_consistent_moment(world: World) -> None:
    """What is committed while a snapshot is read is not in any part of it."""
    from models.store import inbox_heads, snapshots

    world.arrive(USER, 2)
    with world.database.read() as connection:
        before = inbox_heads.inbox_row(connection, USER)
        world.arrive(USER)
        world.badge(USER, "tasks", 1)
        world.dispatch()
        at = snapshots.snapshot(connection, USER, 0)
        assert before is not None
        assert (at.head, at.unread, seqs(at.log), at.badges) == (2, 2, [1, 2], {})


# ---------------------------------------------------------------------- the log


def test_the_log_merges_what_arrived_and_what_changed(world: World) -> None:
    first, second = world.arrive(USER, 2)
    world.read(USER, first)
    world.badge(USER, "tasks", 4)
    world.dispatch()
    world.archive(USER, second)
    world.unread(USER, first)
    (third,) = world.arrive(USER)
    world.read_through(USER, 7)
    found = [(e.seq, e.event, e.id, e.unread) for e in world.log(USER)]
    assert [(seq, event, unread) for seq, event, _, unread in found] == [
        (1, "alert", 1),
        (2, "alert", 2),
        (3, READ, 1),
        (4, "badge", 1),
        (5, ARCHIVED, 0),
        (6, UNREAD, 1),
        (7, "alert", 2),
        (8, READ, 0),
    ]
    assert [id for _, event, id, _ in found if event == "alert"] == [first, second, third]
    assert [e.data for e in world.log(USER) if e.id is None] == [
        {"ids": [first]},
        {"ids": [second], "why": "user"},
        {"ids": [first]},
        {"through": 7},
    ]


def test_any_part_of_the_log_is_the_same_as_that_part_of_the_whole(world: World) -> None:
    chance = random.Random(3)
    for _ in range(12):
        ids = world.arrive(USER, chance.randint(1, 2))
        world.read(USER, *ids[: chance.randint(0, 2)])
    whole = world.log(USER)
    assert seqs(whole) == list(range(1, len(whole) + 1))
    for after in range(len(whole) + 1):
        assert list(world.snapshot(USER, after).log or []) == whole[after:]


def test_a_limit_cuts_the_log_at_its_end(world: World) -> None:
    from models.store import log

    ids = world.arrive(USER, 3)
    world.read(USER, *ids)
    world.arrive(USER, 3)
    with world.database.read() as connection:
        for limit in range(1, 8):
            assert seqs(log.entries(connection, USER, 0, limit)) == list(range(1, limit + 1))


def test_heads_are_returned_for_users_with_a_log(world: World) -> None:
    from models.store import inbox_heads

    world.arrive("a", 2)
    world.arrive("b")
    with world.database.read() as connection:
        assert inbox_heads.heads(connection, ["a", "b", "nobody"]) == {"a": 2, "b": 1}
        assert inbox_heads.heads(connection, []) == {}


# ---------------------------------------------------------------------- the window


def test_the_window_holds_the_50_newest_unread_oldest_first(world: World) -> None:
    world.arrive(USER, WINDOW + 10)
    world.read_through(USER, 3)
    at = world.snapshot(USER)
    assert seqs(at.window) == list(range(11, WINDOW + 11))
    assert (at.head, at.unread) == (WINDOW + 11, WINDOW + 7)


def test_what_was_kept_unread_below_the_watermark_is_in_the_window(world: World) -> None:
    ids = world.arrive(USER, 5)
    world.read_through(USER, 5)
    world.unread(USER, ids[1], ids[3])
    world.arrive(USER, 2)
    at = world.snapshot(USER)
    assert seqs(at.window) == [2, 4, 8, 9]
    assert at.unread == 4


def test_the_newest_fifty_count_above_and_below_the_watermark(world: World) -> None:
    ids = world.arrive(USER, 40)
    world.read_through(USER, 40)
    world.unread(USER, *ids[:20])
    world.arrive(USER, 40)
    window = world.snapshot(USER).window
    assert window is not None
    assert len(window) == WINDOW
    assert seqs(window) == list(range(11, 21)) + list(range(43, 83))


def test_read_archived_and_badges_are_not_in_the_window(world: World) -> None:
    ids = world.arrive(USER, 4)
    world.read(USER, ids[0])
    world.archive(USER, ids[1])
    world.badge(USER, "tasks", 7)
    world.dispatch()
    at = world.snapshot(USER)
    assert seqs(at.window) == [3, 4]
    assert at.badges == {"tasks": 7}
    assert all(item.read_at is None and item.archived_at is None for item in at.window or [])


# ---------------------------------------------------------------------- pages


@pytest.fixture
def mixed(world: World) -> World:
    """Make an inbox with every state, above and below a watermark, with badges between."""
    ids = world.arrive(USER, 12)
    world.read_through(USER, 6)
    world.unread(USER, ids[1], ids[4])
    world.archive(USER, ids[2], ids[8])
    world.read(USER, ids[9])
    world.badge(USER, "tasks", 1)
    world.dispatch()
    ids += world.arrive(USER, 3)
    world.archive(USER, ids[4])
    world.unread(USER, ids[2])
    return world


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_by_status_hold_every_entry_once_newest_first(mixed: World, status: Status, limit: int) -> None:
    everything = mixed.page(USER)
    if status is Status.SNOOZED:  # which no other page lists
        snoozed = [item.id for item in everything[::4]]
        mixed.snooze(USER, *snoozed)
        everything = mixed.page(USER, status)
        assert [item.id for item in everything] == snoozed
    wanted = [item for item in everything if status in (Status.ALL, item.status)]
    assert wanted, "each status has entries here"
    found, before = [], None
    while page := mixed.page(USER, status, limit, before):
        assert len(page) <= limit
        found += page
        before = page[-1].seq
    assert found == wanted
    assert seqs(found) == sorted(seqs(found), reverse=True)


def test_what_arrives_between_two_pages_causes_no_duplicate_and_no_gap(mixed: World) -> None:
    everything = seqs(mixed.page(USER))
    first = mixed.page(USER, limit=5)
    mixed.arrive(USER, 7)
    rest = mixed.page(USER, before=first[-1].seq)
    assert seqs(first) + seqs(rest) == everything


def test_pages_agree_with_the_count(mixed: World) -> None:
    assert len(mixed.page(USER, Status.UNREAD)) == mixed.head(USER)[1]
    parts = [mixed.page(USER, status) for status in (Status.UNREAD, Status.READ, Status.ARCHIVED)]
    assert sum(map(len, parts)) == len(mixed.page(USER)) == 15


def test_the_window_is_the_first_unread_page(mixed: World) -> None:
    window = mixed.snapshot(USER).window
    assert window is not None
    assert list(window)[::-1] == mixed.page(USER, Status.UNREAD, WINDOW)
