"""The audit finds nothing after any valid history, and names every row that breaks an invariant."""

from __future__ import annotations

import random

import pytest

from models.store import audit
from models.store.audit import CHECKS
from tests.harness.world import World

USER = "u1"
UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"


def history(world: World, seed: int = 1, deeds: int = 40) -> None:
    """Make a history with everything that can happen."""
    chance = random.Random(seed)
    users = ["u1", "u2", "日本"]
    for _ in range(deeds):
        user = chance.choice(users)
        ids = [item.id for item in world.page(user)]
        some = chance.sample(ids, min(len(ids), chance.randint(1, 3)))
        deed = chance.randrange(8)
        if deed < 3:
            world.send(*chance.sample(users, chance.randint(1, 3)))
            world.dispatch()
        elif deed == 3:
            world.badge(user, chance.choice(["tasks", "messages"]), chance.randrange(9))
            world.dispatch()
        elif some and deed == 4:
            world.read(user, *some)
        elif some and deed == 5:
            world.unread(user, *some)
        elif some and deed == 6:
            world.archive(user, *some)
        else:
            world.read_through(user, chance.randint(0, 30))


@pytest.mark.parametrize("seed", range(4))
def test_it_finds_nothing_after_any_valid_history(world: World, seed: int) -> None:
    history(world, seed)
    assert world.violations() == []


def test_it_finds_nothing_in_an_empty_database_or_in_waiting_rows(world: World) -> None:
    assert world.violations() == []
    world.send(USER)
    world.send(*(f"u{n:03}" for n in range(150)))
    assert world.violations() == []


def test_it_finds_nothing_after_a_purge(world: World) -> None:
    history(world)
    world.arrive(USER)
    seq, _ = world.head(USER)
    world.read_through(USER, seq)
    world.sql("DELETE FROM notifier_deliveries WHERE user_id = :u AND seq <= :s", u=USER, s=seq)
    world.sql("DELETE FROM notifier_changes WHERE user_id = :u AND seq <= :s", u=USER, s=seq)
    world.sql("UPDATE notifier_inboxes SET purged_seq = :s, unread = 0 WHERE user_id = :u", u=USER, s=seq)
    named = {violation.check for violation in world.violations()}
    assert "a log has every seq once, from what is kept to its head" not in named
    assert "an entry's own unread count follows from the one before it" not in named


def told(world: World) -> World:
    """Make a history with known numbers: 4 alerts, a badge, a read, a kept-unread, a watermark."""
    ids = [world.send(USER, "u2") for _ in range(4)]
    world.badge(USER, "tasks", 3)
    world.dispatch()
    world.read(USER, ids[0])  # 6
    world.read_through(USER, 3)  # 7
    world.unread(USER, ids[1])  # 8
    world.archive(USER, ids[3])  # 9
    world.send(USER)
    world.dispatch()  # 10
    world.badge(USER, "tasks", 4)
    world.dispatch()  # 11
    assert world.head(USER) == (11, 2)
    assert world.violations() == []
    return world


#: A change of the rows -> a part of the check's name, a part of the named row.
CORRUPTIONS = {
    "INSERT INTO notifier_reach (notification_id, user_id, channel, address_id, category, state, required,"
    " due_at, next_at) SELECT id, 'x', 'email', 1, 'general', 'waiting', 1 = 0, accepted_at, accepted_at"
    " FROM notifier_notifications WHERE number = 1": ("a channel's row has a delivery", "email, waiting"),
    "UPDATE notifier_notifications SET state = 'accepted' WHERE number = 1": (
        "a notification has one",
        ":id1",
    ),
    "UPDATE notifier_notifications SET state = 'dead' WHERE number = 1": (
        "a notification has one",
        ":id1",
    ),
    "UPDATE notifier_notifications SET dispatched_at = NULL WHERE number = 1": (
        "a notification has one",
        ":id1",
    ),
    "UPDATE notifier_notifications SET reached = 1 WHERE number = 1": ("a notification has one", ":id1"),
    "UPDATE notifier_notifications SET audience = '[\"u1\"]' WHERE number = 1": (
        "a notification has one",
        ":id1",
    ),
    "UPDATE notifier_notifications SET recipients = 1, reached = 1, position = 1 WHERE number = 1": (
        "as many deliveries as recipients",
        ":id1",
    ),
    "DELETE FROM notifier_deliveries WHERE user_id = 'u2' AND seq = 4": (
        "as many deliveries as recipients",
        ":id4",
    ),
    "DELETE FROM notifier_deliveries WHERE user_id = 'u1' AND seq = 2": (
        "every seq once",
        "inbox u1: head 11",
    ),
    "DELETE FROM notifier_changes WHERE user_id = 'u1' AND seq = 6": ("every seq once", "inbox u1: head 11"),
    "DELETE FROM notifier_deliveries WHERE user_id = 'u1' AND seq = 11": (
        "every seq once",
        "inbox u1: head 11",
    ),
    "UPDATE notifier_changes SET seq = 5 WHERE seq = 6": ("every seq once", "inbox u1"),
    "UPDATE notifier_changes SET seq = 1006 WHERE seq = 6": ("every seq once", "inbox u1"),
    "UPDATE notifier_notifications SET suppressed = 1, reached = 1 WHERE number = 1": (
        "who has switched it off",
        ":id1",
    ),
    "UPDATE notifier_inboxes SET seq = 12 WHERE user_id = 'u1'": ("every seq once", "inbox u1: head 12"),
    "UPDATE notifier_inboxes SET seq = 10 WHERE user_id = 'u1'": ("every seq once", "inbox u1: head 10"),
    "UPDATE notifier_inboxes SET purged_seq = 5 WHERE user_id = 'u2'": ("every seq once", "inbox u2"),
    "UPDATE notifier_inboxes SET unread = 3 WHERE user_id = 'u2'": ("says the same", "inbox u2: unread 3"),
    "UPDATE notifier_badges SET seq = 5 WHERE count = 4": (
        "no badge event is newer",
        "badge u1 tasks: seq 5",
    ),
    "DELETE FROM notifier_inboxes WHERE user_id = 'u1'": ("belongs to an inbox", "entry u1 1"),
    "UPDATE notifier_inboxes SET unread = 3 WHERE user_id = 'u1'": (
        "unread count is the count",
        "inbox u1: unread 3",
    ),
    "UPDATE notifier_inboxes SET read_through = 0 WHERE user_id = 'u1'": (
        "unread count is the count",
        "counted 3",
    ),
    "UPDATE notifier_deliveries SET read_at = NULL, archived_at = NULL WHERE user_id = 'u1' AND seq = 4": (
        "unread count is the count",
        "counted 3",
    ),
    "UPDATE notifier_deliveries SET kept_unread = false WHERE user_id = 'u1' AND seq = 2": (
        "unread count is the count",
        "counted 1",
    ),
    "UPDATE notifier_deliveries SET unread = 9 WHERE user_id = 'u1' AND seq = 3": (
        "follows",
        "entry u1 3: unread 9",
    ),
    "UPDATE notifier_deliveries SET unread = 9 WHERE user_id = 'u1' AND seq = 1": ("follows", "entry u1"),
    "UPDATE notifier_deliveries SET unread = 9 WHERE user_id = 'u1' AND seq = 11": ("follows", "entry u1 11"),
    "UPDATE notifier_deliveries SET unread = 9 WHERE user_id = 'u2' AND seq = 4": ("follows", "entry u2 4"),
    "UPDATE notifier_changes SET unread = 9 WHERE seq = 6": ("follows", "entry u1 6: unread 9"),
    "UPDATE notifier_changes SET unread = 0 WHERE seq = 8": ("follows", "entry u1 8: unread 0"),
    "UPDATE notifier_changes SET unread = 3 WHERE seq = 7": ("follows", "entry u1"),
    "UPDATE notifier_deliveries SET hidden = 'expired' WHERE user_id = 'u2' AND seq = 4": (
        "unread count is the count",
        "inbox u2: unread 4, counted 3",
    ),
    "UPDATE notifier_deliveries SET hidden = 'snoozed', read_at = persisted_at WHERE seq = 1": (
        "snoozed until",
        "entry u1 1: hidden snoozed",
    ),
    "UPDATE notifier_deliveries SET until = persisted_at WHERE seq = 1": ("snoozed until", "entry u1 1"),
    "UPDATE notifier_deliveries SET collapse = 'k' WHERE user_id = 'u1' AND seq < 3": (
        "one is left",
        "user u1: 2 entries with the key k",
    ),
    "UPDATE notifier_badges SET seq = 1000": ("badge", "badge u1 tasks"),
    "UPDATE notifier_badges SET seq = 5": ("badge", "badge u1 tasks"),
    "UPDATE notifier_badges SET seq = 1": ("badge", "badge u1 tasks"),
    "UPDATE notifier_badges SET count = 7": ("badge", "badge u1 tasks"),
    "DELETE FROM notifier_badges": ("badge", "badge u1 tasks"),
    "INSERT INTO notifier_owed (user_id, number) VALUES ('u9', 1)": ("passed over", ":id1"),
    "UPDATE notifier_notifications SET position = 2, recipients = 2, reached = 1 WHERE number = 1": (
        "passed over",
        ":id1",
    ),
    "UPDATE notifier_changes SET data = '{\"ids\": 7}' WHERE seq = 8": ("follows", "entry u1 8"),
    "UPDATE notifier_changes SET data = '7' WHERE seq = 8": ("follows", "entry u1 8"),
    'UPDATE notifier_notifications SET data = \'{"type": "tasks", "count": "many"}\' WHERE event = \'badge\'': (
        "badge",
        "badge u1 tasks",
    ),
    "UPDATE notifier_notifications SET data = '[]' WHERE event = 'badge'": ("badge", "badge u1 tasks"),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_each_violation_is_found_and_named(world: World, corruption: str) -> None:
    ids = [row.id for row in told(world).log("u2")]
    check, row = CORRUPTIONS[corruption]
    for number, id in enumerate(ids, 1):
        row = row.replace(f":id{number}", str(id))
    world.sql(corruption)
    found = [(violation.check, violation.row) for violation in world.violations()]
    assert any(check in name and row in named for name, named in found), found


@pytest.mark.parametrize("audience", ["7", '"u1"', '{"0": "u1"}', "{}", "[]", '["u1"]', "null"])
@pytest.mark.parametrize("state", ["accepted", "dead"])
def test_an_audience_of_another_size_than_its_count_is_named(world: World, audience: str, state: str) -> None:
    id = world.send(*(f"u{number}" for number in range(101)))
    sql = "UPDATE notifier_notifications SET audience = '" + audience + "', state = :state WHERE id = :id"
    world.sql(sql, id=id, state=state)
    (violation,) = world.violations()
    assert id in violation.row


def test_each_check_finds_something_above() -> None:
    for check in CHECKS:
        assert any(part in check for part, _ in CORRUPTIONS.values()), f"no corruption for: {check}"


def test_the_totals_add_up(world: World) -> None:
    told(world)
    world.send(USER, "u3")
    with world.database.read() as connection:
        totals = audit.totals(connection)
    assert totals == {
        "accepted": 8,
        "dispatched": 7,
        "waiting": 1,
        "dead": 0,
        "scheduled": 0,
        "canceled": 0,
        "retracted": 0,
        "expired": 0,
        "recipients": 13,
        "reached": 11,
        "suppressed": 0,
        "erased": 0,
        "deliveries": 11,
        "channel_rows": 0,
        "changes": 4,
        "inboxes": 2,
    }


def test_the_totals_of_nothing_are_nothing(world: World) -> None:
    with world.database.read() as connection:
        assert set(audit.totals(connection).values()) == {0}
