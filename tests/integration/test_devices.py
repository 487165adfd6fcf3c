"""Delivered means: sent to a device and acked by it, or read. Nothing else counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest
import sqlalchemy as sa

from models.store import devices
from models.store.delivered import Ack, Delivered
from models.store.devices import Closed, Joined
from models.tables import devices as table
from notifier.core.effects import Acked
from notifier.outbox.types import AnyRow
from tests.harness.world import World

USER = "u1"


@dataclass
class Device:
    """A device whose sockets write to the store as a gateway does."""

    world: World
    name: str = "phone"
    sockets: int = 0
    window_from: int = 1
    log_from: int = 0
    acked: int = 0

    @property
    def socket(self) -> str:
        return f"{self.name} {self.sockets}"

    def says_hello(self, after: int | None) -> list[Delivered]:
        """Start a new socket; return what `after` delivered."""
        self.sockets += 1
        at = self.world.snapshot(USER, after)
        if at.window is not None or after is None:
            self.log_from, self.acked = at.head, 0
            self.window_from = at.window[0].seq if at.window else at.head + 1
        else:
            self.window_from, self.log_from, self.acked = after + 1, after, after
        claimed = None if at.reset == "ahead" else after
        return self.world.database.run(
            lambda connection: devices.joined(
                connection,
                [Joined(USER, self.name, self.socket, claimed, self.window_from, self.log_from, "a browser")],
                now=self.world.tick(),
            )
        )

    def acks(self, through: int) -> list[Delivered]:
        """Flush an ack."""
        ack = Ack(USER, self.name, Acked(self.window_from, self.log_from, self.acked, through))
        self.acked = max(self.acked, through)
        return self.flush(ack)

    def closes(self, sent: int) -> None:
        """Close the socket after it was sent the log up to `sent`."""
        self.flush(closed=Closed(USER, self.name, self.socket, sent))

    def flush(self, *acks: Ack, closed: Closed | None = None) -> list[Delivered]:
        return self.world.database.run(
            lambda connection: devices.flush(
                connection, acks, [closed] if closed else [], now=self.world.tick()
            )
        )

    @property
    def row(self) -> AnyRow:
        return self.world.one(sa.select(table).where(table.c.device == self.name))


@pytest.fixture
def phone(world: World) -> Device:
    return Device(world)


def delivered_at(world: World, id: str) -> datetime | None:
    moment: datetime | None = world.delivery(USER, id).delivered_at
    return moment


# ---------------------------------------------------------------------- acks


def test_what_was_sent_and_acked_is_delivered_at_the_first_ack(world: World, phone: Device) -> None:
    phone.says_hello(0)
    first, second, third = world.arrive(USER, 3)
    assert phone.acks(2) == [Delivered(first, USER), Delivered(second, USER)]
    moment = world.now
    assert [delivered_at(world, id) for id in (first, second, third)] == [moment, moment, None]
    assert phone.acks(3) == [Delivered(third, USER)]
    assert delivered_at(world, first) == moment


def test_a_second_or_late_ack_changes_nothing(world: World, phone: Device) -> None:
    phone.says_hello(0)
    ids = world.arrive(USER, 3)
    phone.acks(3)
    before = [world.delivery(USER, id) for id in ids]
    assert phone.acks(3) == []
    assert phone.acks(1) == []
    assert phone.flush(Ack(USER, phone.name, Acked(1, 0, 0, 3))) == []
    assert [world.delivery(USER, id) for id in ids] == before
    assert phone.row.acked_seq == 3


def test_a_second_device_delivers_nothing_again(world: World, phone: Device) -> None:
    tablet = Device(world, "tablet")
    phone.says_hello(0)
    tablet.says_hello(0)
    world.arrive(USER, 2)
    assert len(phone.acks(2)) == 2
    assert tablet.acks(2) == []
    assert (phone.row.acked_seq, tablet.row.acked_seq) == (2, 2)


def test_an_anonymous_socket_delivers_and_leaves_no_device(world: World, phone: Device) -> None:
    ids = world.arrive(USER, 2)
    assert phone.flush(Ack(USER, None, Acked(1, 0, 0, 2))) == [Delivered(id, USER) for id in ids]
    assert world.count(table) == 0


def test_badges_are_delivered_by_the_log_and_not_by_a_window(world: World, phone: Device) -> None:
    world.arrive(USER)
    badge = world.badge(USER, "tasks", 1)
    world.dispatch()
    phone.says_hello(None)
    assert phone.acks(2) == [Delivered(world.log(USER)[0].id or "", USER)]
    assert delivered_at(world, badge) is None
    badge = world.badge(USER, "tasks", 2)
    world.dispatch()
    assert phone.acks(3) == [Delivered(badge, USER)]


def test_nothing_but_an_ack_or_a_read_delivers(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 3)
    phone.closes(sent=3)
    assert world.delivered(USER) == []
    phone.says_hello(None)
    assert world.delivered(USER) == []


def test_another_users_ack_delivers_nothing_here(world: World, phone: Device) -> None:
    world.arrive(USER, 2)
    world.arrive("u2", 2)
    assert len(phone.flush(Ack("u2", "phone", Acked(1, 0, 0, 2)))) == 2
    assert world.delivered(USER) == []


# ---------------------------------------------------------------------- the window


def test_an_acked_window_delivers_its_items_alone(world: World, phone: Device) -> None:
    world.arrive(USER, 60)
    phone.says_hello(None)
    assert len(phone.acks(60)) == 50
    assert world.delivered(USER) == list(range(11, 61))


def test_a_window_reaches_down_to_what_was_kept_unread(world: World, phone: Device) -> None:
    ids = world.arrive(USER, 5)
    world.read_through(USER, 5)
    world.unread(USER, ids[1])
    world.arrive(USER)
    phone.says_hello(None)
    phone.acks(8)
    assert set(world.delivered(USER)) >= {2, 8}


def test_after_an_empty_window_only_what_comes_is_delivered(world: World, phone: Device) -> None:
    world.arrive(USER, 3)
    world.read_through(USER, 3)
    phone.says_hello(None)
    world.arrive(USER)
    phone.acks(5)
    assert world.delivered(USER) == [5]


def test_half_of_a_window_can_be_acked(world: World, phone: Device) -> None:
    world.arrive(USER, 6)
    phone.says_hello(None)
    phone.acks(4)
    assert world.delivered(USER) == [1, 2, 3, 4]


# ---------------------------------------------------------------------- hello.after is an ack


def test_the_seq_of_a_returning_device_is_delivered(world: World, phone: Device) -> None:
    phone.says_hello(0)
    ids = world.arrive(USER, 3)
    phone.closes(sent=3)
    assert phone.says_hello(2) == [Delivered(id, USER) for id in ids[:2]]
    assert phone.row.acked_seq == 2
    assert world.delivered(USER) == [1, 2]


def test_an_entry_that_it_was_never_sent_is_not_delivered(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 2)
    phone.closes(sent=2)
    world.arrive(USER, 3)
    phone.says_hello(5)
    assert world.delivered(USER) == [1, 2]
    assert phone.row.acked_seq == 2
    phone.acks(5)
    assert world.delivered(USER) == [1, 2]


def test_a_device_that_was_sent_nothing_at_all_delivers_nothing(world: World, phone: Device) -> None:
    phone.says_hello(0)
    phone.closes(sent=0)
    world.arrive(USER, 3)
    assert phone.says_hello(3) == []
    assert world.delivered(USER) == []


def test_an_unknown_device_delivers_nothing_by_its_hello(world: World, phone: Device) -> None:
    world.arrive(USER, 3)
    assert phone.says_hello(3) == []
    assert phone.says_hello(3) == []
    assert world.delivered(USER) == []


def test_a_device_ahead_of_the_head_delivers_nothing(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 2)
    phone.says_hello(7)
    assert world.delivered(USER) == []
    assert phone.row.acked_seq == 0


def test_of_a_window_only_what_was_in_it_counts_when_the_device_returns(world: World, phone: Device) -> None:
    world.arrive(USER, 60)
    phone.says_hello(None)
    world.arrive(USER, 2)
    phone.closes(sent=62)
    phone.says_hello(62)
    assert world.delivered(USER) == list(range(11, 63))


def test_after_a_crash_the_devices_hello_counts(world: World, phone: Device) -> None:
    """The gateway died before the flush: the device's next hello says what it has."""
    phone.says_hello(0)
    world.arrive(USER, 4)
    assert phone.row.sent_seq is None
    assert len(phone.says_hello(3)) == 3
    assert world.delivered(USER) == [1, 2, 3]


def test_a_fresh_hello_says_nothing_about_what_was_sent_before(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 2)
    phone.closes(sent=2)
    phone.says_hello(None)
    assert world.delivered(USER) == []
    assert phone.row.acked_seq == 0


def test_a_closed_sockets_last_ack_still_counts(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 3)
    ack = Ack(USER, phone.name, Acked(1, 0, 0, 2))
    assert len(phone.flush(ack, closed=Closed(USER, phone.name, phone.socket, 3))) == 2
    assert (phone.row.acked_seq, phone.row.sent_seq) == (2, 3)
    phone.says_hello(3)
    assert world.delivered(USER) == [1, 2, 3]


def test_an_old_socket_that_closes_late_leaves_the_new_one_alone(world: World, phone: Device) -> None:
    phone.says_hello(0)
    old = phone.socket
    world.arrive(USER, 2)
    phone.says_hello(2)
    world.arrive(USER, 2)
    phone.flush(closed=Closed(USER, phone.name, old, 2))
    assert phone.row.sent_seq is None
    assert len(phone.says_hello(4)) == 2


def test_what_the_device_has_acked_never_goes_back(world: World, phone: Device) -> None:
    phone.says_hello(0)
    world.arrive(USER, 5)
    phone.acks(5)
    phone.closes(sent=5)
    phone.says_hello(2)
    assert phone.row.acked_seq == 5


# ---------------------------------------------------------------------- the row


def test_a_device_remembers_when_it_was_first_and_last_seen(world: World, phone: Device) -> None:
    phone.says_hello(0)
    first = world.now
    world.arrive(USER)
    phone.acks(1)
    acked = world.now
    assert (phone.row.first_seen_at, phone.row.last_seen_at) == (first, acked)
    phone.says_hello(1)
    assert (phone.row.first_seen_at, phone.row.last_seen_at) == (first, world.now)
    assert phone.row.user_agent == "a browser"


def test_many_devices_are_flushed_together(world: World, phone: Device) -> None:
    fleet = [Device(world, f"device {number}") for number in range(20)]
    for device in fleet:
        device.says_hello(0)
    world.arrive(USER, 20)
    acks = [Ack(USER, device.name, Acked(1, 0, 0, number + 1)) for number, device in enumerate(fleet)]
    found = phone.flush(*acks)
    assert len(found) == len(set(found)) == 20
    assert [device.row.acked_seq for device in fleet] == list(range(1, 21))


def test_flushing_nothing_changes_nothing(phone: Device) -> None:
    assert phone.flush() == []


def test_an_unread_mark_does_not_undo_a_delivery(world: World, phone: Device) -> None:
    phone.says_hello(0)
    (id,) = world.arrive(USER)
    phone.acks(1)
    moment = delivered_at(world, id)
    world.read(USER, id)
    world.unread(USER, id)
    world.archive(USER, id)
    assert delivered_at(world, id) == moment


@pytest.mark.parametrize("count", [3, 100], ids=["some", "a range"])
def test_an_ack_counts_from_when_it_came_and_names_its_socket(
    world: World, phone: Device, count: int
) -> None:
    """It does not count from the flush, up to a quarter of a second later."""
    ids = world.arrive(USER, count)
    came = world.tick(0.123456)
    world.tick(0.25)
    phone.flush(Ack(USER, None, Acked(1, 0, 0, count), "the socket", came))
    for id in (ids[0], ids[-1]):
        row = world.delivery(USER, id)
        assert (row.delivered_at, row.acked_by) == (came, "the socket")
    assert world.violations() == []


def test_what_hello_acks_was_sent_by_the_socket_before(world: World, phone: Device) -> None:
    phone.says_hello(0)
    before = phone.socket
    [id] = world.arrive(USER)
    phone.says_hello(1)
    assert world.delivery(USER, id).acked_by == before
