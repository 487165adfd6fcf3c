"""The file broker's events: complete messages, and nothing left of dead gateways."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from notifier import private
from notifier.broker import Message, Publisher, clean_dead_gateways, file_bus, routing_key
from notifier.broker.file_bus import STALE_NEWBORN, FileBus, Inbox
from notifier.broker.topology import connection_options
from notifier.settings import Settings

HOLD = """
import sys, time
from pathlib import Path
from notifier.broker.file_bus import FileBus, Inbox
inbox = Inbox(FileBus(Path(sys.argv[1])), "doomed")
inbox.bind("ada"); inbox.bind("bob")
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, var_dir=tmp_path)


@pytest.fixture
def events(settings: Settings) -> Path:
    return connection_options(settings).events_folder


@pytest.fixture
def bus(events: Path) -> FileBus:
    return FileBus(events)


def kill_a_gateway(events: Path) -> None:
    """Leave the files of a gateway that was killed while bound to ada and bob."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(events)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert FileBus(events).alive("doomed")
        child.send_signal(signal.SIGKILL)


def put(bus: FileBus, gateway: str, user: str, seq: int = 1, body: bytes = b"{}") -> None:
    bus.put(gateway, Message(user, seq, body), routing_key(user))


def test_a_message_is_a_file_with_its_key_and_seq(bus: FileBus) -> None:
    inbox = Inbox(bus, "gw")
    put(bus, "gw", "a/b", 7, b"body")
    (parcel,) = inbox.parcels()
    assert (parcel.key, parcel.seq, parcel.path.read_bytes()) == (routing_key("a/b"), "7", b"body")
    inbox.close()


def test_no_reader_ever_sees_half_a_message(bus: FileBus) -> None:
    inbox, body, done = Inbox(bus, "gw"), b"x" * 200_000, threading.Event()
    sizes: set[int] = set()

    def read() -> None:
        while not done.is_set():
            sizes.update(p.path.stat().st_size for p in inbox.parcels())

    reader = threading.Thread(target=read)
    reader.start()
    for seq in range(1, 101):
        put(bus, "gw", "ada", seq, body)
    done.set()
    reader.join()
    assert sizes == {len(body)}
    assert [p.seq for p in inbox.parcels()] == [str(n) for n in range(1, 101)]
    inbox.close()


def test_an_unfinished_file_is_not_listed(bus: FileBus) -> None:
    inbox = Inbox(bus, "gw")
    (bus.gateways / "gw" / "inbox" / ".half.msg").write_bytes(b"")
    assert inbox.parcels() == []
    inbox.close()


def test_a_listing_with_only_the_later_of_two_files_keeps_the_order(
    bus: FileBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call of readdir may miss a file that is renamed during the call, and return a later one."""
    inbox, names = Inbox(bus, "gw"), file_bus._names

    def racing(folder: Path) -> list[str]:
        seen = names(folder)
        put(bus, "gw", "ada", 2)
        before = set(names(folder))
        put(bus, "gw", "ada", 3)
        return [*seen, *(set(names(folder)) - before)]

    put(bus, "gw", "ada", 1)
    with monkeypatch.context() as during:
        during.setattr(file_bus, "_names", racing)
        assert [parcel.seq for parcel in inbox.parcels()] == ["1"]
    assert [parcel.seq for parcel in inbox.parcels()] == ["1", "2", "3"]
    inbox.close()


def test_binding_and_unbinding_leave_nothing(bus: FileBus) -> None:
    one, two = Inbox(bus, "one"), Inbox(bus, "two")
    one.bind("ada")
    one.bind("ada")
    two.bind("ada")
    assert sorted(bus.listeners(routing_key("ada"))) == ["one", "two"]
    one.unbind("ada")
    one.unbind("ada")
    assert bus.listeners(routing_key("ada")) == ["two"]
    two.close()
    assert list(bus.bindings.iterdir()) == []
    one.close()
    assert list(bus.gateways.iterdir()) == []


def test_binding_never_fails_because_another_leaves(bus: FileBus) -> None:
    inboxes = [Inbox(bus, f"gw{n}") for n in range(4)]
    failures: list[BaseException] = []

    def come_and_go(inbox: Inbox) -> None:
        try:
            for _ in range(200):
                inbox.bind("ada")
                inbox.unbind("ada")
            inbox.bind("ada")
        except BaseException as exc:
            failures.append(exc)

    threads = [threading.Thread(target=come_and_go, args=(i,)) for i in inboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(bus.listeners(routing_key("ada"))) == 4
    for inbox in inboxes:
        inbox.close()


def test_nothing_is_written_for_a_dead_gateway(settings: Settings, events: Path, bus: FileBus) -> None:
    kill_a_gateway(events)
    assert not bus.alive("doomed")
    publisher = Publisher(settings)
    publisher.publish([Message("ada", 1, b"{}")])
    assert list(events.rglob("*.msg")) == []


def test_a_process_that_checks_is_not_taken_for_the_owner(events: Path, bus: FileBus) -> None:
    kill_a_gateway(events)
    with (bus.gateways / "doomed" / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # as another process does that checks at this moment
        assert not bus.alive("doomed")


def test_files_of_a_dead_gateway_are_removed_and_others_stay(
    settings: Settings, events: Path, bus: FileBus
) -> None:
    living = Inbox(bus, "living")
    living.bind("ada")
    put(bus, "living", "ada")
    kill_a_gateway(events)
    put(bus, "doomed", "ada")
    assert clean_dead_gateways(settings) == 1
    assert clean_dead_gateways(settings) == 0
    assert [p.name for p in bus.gateways.iterdir()] == ["living"]
    assert [p.name for p in bus.bindings.iterdir()] == [routing_key("ada")]
    assert bus.listeners(routing_key("ada")) == ["living"]
    assert len(living.parcels()) == 1
    living.close()


def test_a_starting_gateway_cleans_up(events: Path, bus: FileBus) -> None:
    kill_a_gateway(events)
    inbox = Inbox(bus, "next")
    assert [p.name for p in bus.gateways.iterdir()] == ["next"]
    assert bus.listeners(routing_key("bob")) == []
    inbox.close()


def test_a_gateway_that_is_just_being_made_is_left_alone(bus: FileBus) -> None:
    newborn = bus.gateways / ".newborn"
    newborn.mkdir(parents=True)
    assert bus.clean() == 0
    assert newborn.exists()
    os.utime(newborn, (0, STALE_NEWBORN))
    assert bus.clean() == 1
    assert not newborn.exists()


def test_cleaning_before_anything_ever_ran_does_nothing(settings: Settings, tmp_path: Path) -> None:
    assert clean_dead_gateways(settings) == 0
    assert list(tmp_path.iterdir()) == []


def test_publishing_to_a_gateway_that_stops_is_not_a_failure(bus: FileBus) -> None:
    put(bus, "gone", "ada")


def test_messages_are_for_the_owner_only(bus: FileBus) -> None:
    inbox = Inbox(bus, "gw")
    assert (bus.gateways / "gw").stat().st_mode & 0o077 == 0
    inbox.close()


def test_a_check_on_a_full_disk_leaves_nothing(bus: FileBus, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, _: bytes) -> int:
        path.touch()  # what opening it does
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        bus.check()
    assert list(bus.gateways.iterdir()) == []


def test_a_file_of_a_process_that_died_during_its_check_stops_no_gateway(bus: FileBus) -> None:
    private.make_folder(bus.gateways)
    left = bus.gateways / ".check-4711-1"
    left.write_bytes(b"{}")
    os.utime(left, (0, 0))
    Inbox(bus, "gateway").close()
    assert not left.exists()
