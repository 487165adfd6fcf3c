"""The timer wheel: nobody early, nobody forgotten, and a deadline that moves costs nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from web.gateway.deadlines import NEVER, NOWHERE, TICK, Deadlines


@dataclass(eq=False)
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(eq=False)
class Socket:
    clock: Clock
    due: float = NEVER
    filed: int = NOWHERE
    woken: list[float] = field(default_factory=list)

    def wake(self) -> None:
        assert self.due <= self.clock.now, "early"
        self.woken.append(self.clock.now)
        self.due = NEVER


def test_a_deadline_that_moved_later_wakes_nobody_at_the_old_place() -> None:
    clock = Clock()
    deadlines, socket = Deadlines(clock), Socket(clock, due=1_001.0)
    deadlines.file(socket)
    socket.due = 1_005.0
    deadlines.file(socket)
    clock.now = 1_002.0
    deadlines.advance()
    assert socket.woken == []
    clock.now = 1_005.0 + 2 * TICK
    deadlines.advance()
    assert len(socket.woken) == 1


def test_a_deadline_that_moved_earlier_is_met() -> None:
    clock = Clock()
    deadlines, socket = Deadlines(clock), Socket(clock, due=1_060.0)
    deadlines.file(socket)
    socket.due = 1_001.0
    deadlines.file(socket)
    clock.now = 1_001.0 + 2 * TICK
    deadlines.advance()
    assert len(socket.woken) == 1


def test_nothing_is_kept_of_what_is_forgotten() -> None:
    clock = Clock()
    deadlines, socket = Deadlines(clock), Socket(clock, due=1_010.0)
    deadlines.file(socket)
    deadlines.forget(socket)
    assert not any(deadlines._ticks.values())
    clock.now = 1_100.0
    deadlines.advance()
    assert socket.woken == []


moves = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.one_of(st.just(NEVER), st.floats(0, 20)),  # a new deadline from now on
        st.floats(0, 3),  # seconds that pass then
    ),
    max_size=40,
)


@given(moves)
def test_everybody_is_woken_once_for_each_deadline_and_at_most_two_ticks_late(
    moves: list[tuple[int, float, float]],
) -> None:
    clock = Clock()
    deadlines, sockets = Deadlines(clock), [Socket(clock) for _ in range(5)]
    for number, after, passed in moves:
        sockets[number].due = clock.now + after
        deadlines.file(sockets[number])
        until = clock.now + passed
        while clock.now < until:
            clock.now = min(until, clock.now + TICK)
            deadlines.advance()
            assert all(clock.now <= socket.due + 2 * TICK for socket in sockets)
    assert sum(len(filed) for filed in deadlines._ticks.values()) == sum(
        socket.filed != NOWHERE for socket in sockets
    )
