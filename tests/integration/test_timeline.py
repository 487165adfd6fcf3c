"""The timeline distinguishes each outcome of an alert, from rows alone, on both databases."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from models.store import devices, dispatch, failures, sockets, timeline
from models.store.delivered import Ack
from models.store.sockets import Ended, Opened
from models.tables import gateways
from models.tables import sockets as socket_rows
from notifier.core.diagnosis import summary
from notifier.core.effects import Acked
from notifier.core.timeline import Timeline, steps
from notifier.core.timeline_json import as_json
from tests.harness.world import World

USER = "u1"
GATEWAY = "0123456789abcdef"


@dataclass
class Site:
    """A world with a gateway, and queries for the timeline."""

    world: World
    ids: list[str] = field(default_factory=list)

    def alive(self, gateway: str = GATEWAY, *, stopped: bool = False) -> None:
        moment = self.world.tick()
        self.world.database.run(lambda c: sockets.seen(c, gateway, now=moment, stopped=stopped))

    def opens(self, device: str | None = "phone", *, after: int | None = None) -> str:
        """Open a socket; return its id."""
        self.alive()
        at = self.world.snapshot(USER, after)
        window = None if at.window is None else at.window[0].seq if at.window else at.head + 1
        one = Opened(str(uuid.uuid4()), USER, device, GATEWAY, self.world.tick(), after, at.head, window)
        self.world.database.run(lambda c: sockets.write(c, [one], []))
        self.alive()
        return one.id

    def closes(self, socket: str, sent: int, code: int = 1001) -> None:
        end = Ended(socket, self.world.tick(), code, sent)
        self.world.database.run(lambda c: sockets.write(c, [], [end]))

    def acks(self, socket: str, seq: int) -> None:
        moment = self.world.tick(0.035)
        ack = Ack(USER, "phone", Acked(1, 0, seq - 1, seq), socket)
        self.world.database.run(lambda c: devices.flush(c, [ack], [], now=moment))

    def wakes(self, *, late: float = 0.005) -> None:
        """Dispatch what waits, as the task of a wake-up does."""
        woken = self.world.now + timedelta(seconds=late)
        moment = self.world.tick(late + 0.010)
        self.world.database.run(lambda c: dispatch.dispatch_batch(c, limit=10, now=moment, woken_at=woken))

    def published(self, id: str) -> None:
        moment = self.world.tick(0.002)
        self.world.database.run(lambda c: dispatch.published(c, {id: moment}))

    def told(self, id: str, user: str | None = None) -> Timeline:
        with self.world.database.read() as connection:
            found = timeline.timeline(connection, id, user, now=self.world.now)
        assert found is not None
        return found

    def why(self, id: str, user: str | None = None, broker: bool | None = None) -> str:
        return summary(self.told(id, user), self.world.now, broker)

    def step(self, id: str, name: str) -> tuple[datetime | None, str]:
        return next((s.at, s.detail) for s in steps(self.told(id), self.world.now) if s.name == name)


@pytest.fixture
def site(world: World) -> Site:
    return Site(world)


def test_an_open_socket_that_acked(site: Site) -> None:
    socket = site.opens()
    id = site.world.send(USER)
    site.wakes()
    site.published(id)
    site.acks(socket, 1)
    assert site.why(id) == (
        f"Socket {socket[:8]} of device phone was open and acked after 37 ms. It is unread."
    )
    assert [s.name for s in steps(site.told(id), site.world.now) if s.at] == [
        "accepted", "woken", "dispatched", "published", "delivered",
    ]  # fmt: skip
    [shown] = as_json(site.told(id), site.world.now, "")["sockets"]
    assert (shown["socket"], shown["sent"], shown["acked"], shown["lost"]) == (socket, True, True, False)


def test_no_socket_was_open(site: Site) -> None:
    id = site.world.send(USER)
    site.wakes()
    assert site.why(id) == (
        "No socket was open, and none has been since: it waits in the inbox, and the badge counts it."
    )


def test_a_device_that_came_later(site: Site) -> None:
    id = site.world.send(USER)
    site.wakes()
    site.world.tick(7200)
    socket = site.opens(after=0)
    site.acks(socket, 1)
    assert site.why(id) == (
        f"No device took it at once; socket {socket[:8]} of device phone opened 2 h later, was sent it and"
        " acked. It is unread."
    )


def test_a_socket_that_was_sent_it_and_closed_without_an_ack(site: Site) -> None:
    socket = site.opens()
    id = site.world.send(USER)
    site.wakes()
    site.published(id)
    site.closes(socket, sent=1, code=1006)
    assert (
        site.why(id) == f"Socket {socket[:8]} of device phone was sent it and closed (1006), and never acked."
    )


def test_a_socket_that_closed_before_it_was_sent_it(site: Site) -> None:
    socket = site.opens(None)
    id = site.world.send(USER)
    site.wakes()
    site.closes(socket, sent=0, code=4410)
    assert site.why(id) == (
        f"Socket {socket[:8]} of an unnamed device closed (4410) before it was sent it."
        " It is not known to have been published; gateways fetch such entries within half a minute."
    )


def test_an_open_socket_that_did_not_ack_yet(site: Site) -> None:
    socket = site.opens()
    id = site.world.send(USER)
    site.wakes()
    site.published(id)
    assert site.why(id) == f"Socket {socket[:8]} of device phone is open and has not acked it."


def test_a_socket_whose_gateway_crashed(site: Site) -> None:
    socket = site.opens()
    id = site.world.send(USER)
    site.wakes()
    site.published(id)
    site.alive()
    site.world.tick(600)
    assert site.why(id) == (
        f"Socket {socket[:8]} of device phone is not known to be closed: its gateway crashed or lost the"
        " database."
    )
    assert as_json(site.told(id), site.world.now, "")["sockets"][0]["lost"]


def test_a_gateway_that_stopped_took_its_sockets_along(site: Site) -> None:
    site.opens()
    site.alive(stopped=True)
    id = site.world.send(USER)
    site.world.tick(60)
    site.wakes()
    assert "none has been since" in site.why(id)


def test_no_worker_has_taken_it(site: Site) -> None:
    id = site.world.send(USER)
    site.world.tick(90)
    assert site.why(id) == "No worker has taken it yet, 90.0 s after it was accepted."
    assert site.why(id, broker=False).endswith(
        "The broker cannot be reached: it goes out when the broker is back."
    )
    assert site.why(id, broker=True).endswith("The broker answers: is a worker running?")
    assert site.step(id, "woken")[1].startswith("not known")


def test_the_sweep_found_it(site: Site) -> None:
    id = site.world.send(USER)
    site.world.tick(11)
    site.world.dispatch()
    assert site.why(id).startswith(
        "No wake-up reached a worker (the broker or the workers were away); it was found 12.0 s later."
    )
    assert site.step(id, "woken")[0] is None


def test_the_broker_was_away_when_it_was_accepted(site: Site) -> None:
    id = site.world.send(USER)
    site.wakes(late=12)
    assert site.why(id).startswith("It waited 12.0 s before a worker was woken")


def test_one_that_fails_and_one_that_is_dead(site: Site) -> None:
    id = site.world.send(USER)
    number = site.world.notification(id).number

    def fail(attempts: int) -> None:
        site.world.database.run(
            lambda c: failures.postpone(
                c, number, "ValueError: no such type", now=site.world.now,
                delay=timedelta(seconds=30), max_attempts=attempts,
            )
        )  # fmt: skip

    fail(2)
    assert site.why(id) == "It failed 1 time: ValueError: no such type. The next attempt is due in 30.0 s."
    fail(2)
    assert site.why(id) == (
        "It is dead after 2 attempts: ValueError: no such type."
        f" Once the cause is gone: notifier dead replay {id}."
    )


def test_read_in_the_inbox_without_a_device(site: Site) -> None:
    id = site.world.send(USER)
    site.wakes()
    site.world.tick(59)
    site.world.read(USER, id)
    assert site.why(id) == "It was read 60.0 s after it was in the inbox; no device had acked it before."


def test_an_alert_older_than_the_recorded_sockets_claims_nothing(site: Site) -> None:
    id = site.world.send(USER)
    site.world.dispatch()
    assert site.why(id).endswith("No socket is known of that was open, then or since.")


def test_many_recipients_are_counted_and_paged(site: Site) -> None:
    id = site.world.send(USER, "u2", "u3")
    site.wakes()
    site.world.read("u2", id)
    assert site.why(id) == (
        "It is in the inbox of all 3 recipients: 1 has it on a device, 1 has read it, 2 have not got it."
    )
    with site.world.database.read() as connection:
        first = timeline.copies(connection, id, limit=2, after=None)
        rest = timeline.copies(connection, id, limit=2, after=first[-1].user_id)
    assert [copy.user_id for copy in (*first, *rest)] == [USER, "u2", "u3"]
    assert site.told(id, "u2").copy is not None
    with site.world.database.read() as connection:
        assert timeline.timeline(connection, id, "stranger", now=site.world.now) is None
        assert timeline.timeline(connection, str(uuid.uuid4()), None, now=site.world.now) is None


def test_a_recipient_whose_chunk_is_not_dispatched_yet(site: Site) -> None:
    users = [f"u{number:03}" for number in range(150)]
    id = site.world.send(*users)
    site.world.chunk(id, 100)
    assert "100 of 150" in site.why(id, "u149")
    assert site.told(id, "u000").copy is not None


def test_writing_twice_changes_nothing(site: Site) -> None:
    """This happens after a commit whose answer was lost."""
    socket = site.opens()
    site.closes(socket, sent=4)
    again = Opened(socket, USER, "phone", GATEWAY, site.world.tick(), None, 0, 1)
    site.world.database.run(lambda c: sockets.write(c, [again], []))
    row = site.world.one(sa.select(socket_rows))
    assert (row.sent_seq, row.code) == (4, 1001)


def test_a_socket_that_comes_and_goes_between_two_flushes_is_one_row(site: Site) -> None:
    opened = Opened("s", USER, None, GATEWAY, site.world.tick(), None, 0, 1)
    ended = Ended("s", site.world.tick(), 1000, 0)
    site.world.database.run(lambda c: sockets.write(c, [opened], [ended]))
    assert site.world.one(sa.select(socket_rows)).closed_at == ended.closed_at


def test_present_counts_open_sockets_of_running_gateways(site: Site) -> None:
    site.opens("phone")
    site.opens("phone")
    site.opens(None)
    site.closes(site.opens("laptop"), sent=0)
    with site.world.database.read() as connection:
        assert sockets.present(connection, now=site.world.now) == sockets.Present(1, 3, 1, 1)
        later = site.world.now + timedelta(minutes=5)
        assert sockets.present(connection, now=later) == sockets.Present(0, 0, 0, 0)


def test_purge_keeps_recent_and_open_sockets(site: Site) -> None:
    closed, lost, open_long = site.opens(), site.opens(), site.opens()
    site.closes(closed, sent=0)
    edge = site.world.tick(3600)
    young = site.opens()
    site.closes(open_long, sent=0)
    assert site.world.database.run(lambda c: sockets.purge(c, edge, 1)) == 1
    assert site.world.database.run(lambda c: sockets.purge(c, edge, 10)) == 1
    with site.world.database.read() as connection:
        kept = set(connection.scalars(sa.select(socket_rows.c.id)))
    assert kept == {young, open_long}
    assert lost not in kept
    assert site.world.count(gateways) == 1, "it has been seen since"


def test_a_storm_is_written_like_a_few(site: Site) -> None:
    moment = site.world.tick()
    opened = [Opened(f"s{n}", USER, None, GATEWAY, moment, n or None, n, n or None) for n in range(60)]
    ended = [Ended(f"s{n}", site.world.tick(), 1012, n) for n in range(60)]
    site.world.database.run(lambda c: sockets.write(c, opened, ended[:20]))
    site.world.database.run(lambda c: sockets.write(c, opened, ended[20:]))
    with site.world.database.read() as connection:
        found = connection.execute(sa.select(socket_rows).order_by(socket_rows.c.head)).all()
    assert [(r.id, r.after, r.opened_at, r.window_from) for r in found] == [
        (one.id, one.after, one.opened_at, one.window_from) for one in opened
    ]
    assert [(r.closed_at, r.code, r.sent_seq) for r in found] == [
        (one.closed_at, one.code, one.sent) for one in ended
    ]
