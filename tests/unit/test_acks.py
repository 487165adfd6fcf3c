"""The ack collector: one entry for each socket, and nothing lost while the database is down."""

from collections.abc import Callable
from typing import Any

import pytest

from models.store.delivered import Ack
from models.store.devices import Closed
from notifier.core.effects import Acked
from notifier.core.errors import DatabaseUnavailable
from web.gateway.acks import ENTRIES, Acks
from web.gateway.presence import Presence


class Away:
    """A database that can be down, and keeps what would have been written."""

    def __init__(self) -> None:
        self.up = True
        self.written: list[Ack | Closed] = []

    def run(self, work: Callable[[Any], Any]) -> list[Any]:
        if not self.up:
            raise DatabaseUnavailable
        work(self)
        return []


class Quiet(Presence):
    """A gateway without presence events."""

    def flush(self) -> bool:
        return True


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Away:
    def flush(connection: Away, acks: Any, closed: Any, *, now: object) -> list[Any]:
        connection.written += [*acks, *closed]
        return []

    monkeypatch.setattr("web.gateway.acks.devices.flush", flush)
    return Away()


@pytest.fixture
def acks(database: Away) -> Acks:
    return Acks(database, Quiet(database, "gateway"))  # type: ignore[arg-type]


def ack(after: int, through: int, *, window_from: int = 1, log_from: int = 0) -> Ack:
    return Ack("u", "phone", Acked(window_from, log_from, after, through))


def test_acks_of_one_socket_become_one(acks: Acks, database: Away) -> None:
    acks.add("s", ack(0, 3))
    acks.add("s", ack(3, 7))
    acks.flush()
    assert database.written == [ack(0, 7)]


def test_nothing_is_written_when_nothing_was_acked(acks: Acks, database: Away) -> None:
    acks.flush()
    assert database.written == []


def test_what_a_socket_acked_before_a_reset_is_an_ack_of_its_own(acks: Acks, database: Away) -> None:
    acks.add("s", ack(0, 3))
    acks.add("s", ack(0, 50, window_from=40, log_from=49))
    acks.flush()
    assert sorted(a.acked.through for a in database.written if isinstance(a, Ack)) == [3, 50]


def test_acks_wait_for_a_database_that_is_away(acks: Acks, database: Away) -> None:
    closed = Closed("u", "phone", "s", 9)
    database.up = False
    acks.add("s", ack(0, 3))
    acks.closed("s", closed)
    acks.flush()
    acks.add("s", ack(3, 9))
    acks.flush()
    database.up = True
    acks.flush()
    acks.flush()
    assert database.written == [ack(0, 9), closed]


def test_another_error_is_logged_and_the_next_acks_are_written(
    acks: Acks, database: Away, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(database, "run", lambda work: 1 / 0)
        acks.add("s", ack(0, 3))
        acks.flush()
    assert "acks lost" in caplog.text
    acks.add("t", ack(0, 4))
    acks.flush()
    assert database.written == [ack(0, 4)]


def test_a_storm_of_acks_is_written_in_bounded_pieces(
    database: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def flush(_connection: Away, acks: Any, _closed: Any, *, now: object) -> list[Any]:
        sizes.append(sum(a.acked.through - a.acked.after for a in acks))
        return []

    monkeypatch.setattr("web.gateway.acks.devices.flush", flush)
    acks = Acks(database, Quiet(database, "gateway"))  # type: ignore[arg-type]
    for number in range(2_000):
        acks.add(f"s{number}", ack(0, 100))
    acks.flush()
    assert sum(sizes) == 200_000
    assert max(sizes) <= ENTRIES
