"""docs/contract.md, promise 6: delivered means sent to a device and acked by it, or read."""

from __future__ import annotations

from tests.harness.site import Site
from tests.harness.waiting import until


def delivered(site: Site, identity: str) -> int:
    count: int = site.api.notification(identity).json["delivered"]
    return count


def wait_delivered(site: Site, identity: str, count: int = 1) -> None:
    until(lambda: delivered(site, identity) == count, 10, f"{identity} is delivered")


def test_sent_alone_is_not_delivered_and_acked_is(site: Site, user: str) -> None:
    with site.socket(user, device="phone") as socket:
        first, second = site.send(user), site.send(user)
        for _ in range(2):
            socket.expect("event")
        assert (delivered(site, first), delivered(site, second)) == (0, 0)
        socket.send(op="ack", seq=1)
        wait_delivered(site, first)
        assert delivered(site, second) == 0
        socket.send(op="ack", seq=2)
        wait_delivered(site, second)


def test_a_client_that_acks_each_of_what_it_missed_stays_connected(site: Site, user: str) -> None:
    missed = 150  # three times the frames that a socket may send in a second
    for _ in range(missed):
        site.send(user)
    site.arrived(user, missed)
    with site.open() as socket:
        for frame in socket.enter(site.backend.token(user), 0)[1:-1]:
            socket.send(op="ack", seq=frame["seq"])
        socket.nothing_before_pong()


def test_an_ack_is_cumulative(site: Site, user: str) -> None:
    with site.socket(user, device="phone") as socket:
        ids = [site.send(user) for _ in range(5)]
        for _ in ids:
            socket.expect("event")
        socket.send(op="ack", seq=5)
        for identity in ids:
            wait_delivered(site, identity)


def test_the_items_of_a_window_are_delivered_by_its_ack(site: Site, user: str) -> None:
    ids = [site.send(user) for _ in range(3)]
    site.arrived(user, 3)
    with site.socket(user, device="tablet") as socket:
        assert [delivered(site, identity) for identity in ids] == [0, 0, 0]
        socket.send(op="ack", seq=3)
        for identity in ids:
            wait_delivered(site, identity)


def test_what_the_window_left_out_is_not_delivered_by_its_ack(site: Site, user: str) -> None:
    ids = [site.send(user) for _ in range(52)]
    site.arrived(user, 52)
    with site.socket(user, device="tablet") as socket:
        socket.send(op="ack", seq=52)
        wait_delivered(site, ids[2])
        wait_delivered(site, ids[51])
    assert [delivered(site, identity) for identity in ids[:2]] == [0, 0]


def test_a_hello_with_a_seq_is_an_ack_of_what_the_device_was_sent(site: Site, user: str) -> None:
    with site.socket(user, device="phone") as socket:
        identity = site.send(user)
        socket.expect("event", seq=1)
    assert delivered(site, identity) == 0
    with site.socket(user, after=1, device="phone"):
        wait_delivered(site, identity)


def test_a_hello_of_a_device_that_was_sent_nothing_is_not_an_ack(site: Site, user: str) -> None:
    first = site.send(user)
    site.arrived(user, 1)
    with site.socket(user, after=1, device="never-seen") as socket:
        second = site.send(user)
        socket.expect("event", seq=2, id=second)
        socket.send(op="ack", seq=2)
        wait_delivered(site, second)
    assert delivered(site, first) == 0


def test_an_ack_ahead_of_what_was_sent_delivers_nothing(site: Site, user: str) -> None:
    with site.socket(user, device="phone") as socket:
        socket.send(op="ack", seq=1)
        identity = site.send(user)
        frames = socket.until("event")
        assert frames[-1]["id"] == identity
        socket.nothing_before_pong()
        assert delivered(site, identity) == 0
        socket.send(op="ack", seq=1)
        wait_delivered(site, identity)


def test_read_is_delivered(site: Site, user: str) -> None:
    first, second = site.send(user), site.send(user)
    site.arrived(user, 2)
    with site.user(user) as api:
        api.read([first])
        wait_delivered(site, first)
        assert site.api.notification(first).json["read"] == 1
        assert delivered(site, second) == 0
        api.read(through=2)
        wait_delivered(site, second)
        assert site.api.notification(second).json["read"] == 1


def test_two_devices_deliver_once(site: Site, user: str, other: str) -> None:
    with (
        site.socket(user, device="phone") as phone,
        site.socket(user, device="laptop") as laptop,
        site.socket(other, device="phone") as theirs,
    ):
        identity = site.api.send_many([user, other]).json["id"]
        for socket in (phone, laptop):
            socket.expect("event")
            socket.send(op="ack", seq=1)
        wait_delivered(site, identity, 1)
        theirs.expect("event")
        theirs.send(op="ack", seq=1)
        wait_delivered(site, identity, 2)
        assert site.api.notification(identity).json["recipients"] == 2
