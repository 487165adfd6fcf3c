"""The states of a channel's row."""

from __future__ import annotations

from notifier.core.reach import MOVES, Move, State


def test_every_move_and_every_state_is_in_the_table() -> None:
    assert set(MOVES) == set(Move)
    states = {state for moves in MOVES.values() for pair in moves.items() for state in pair}
    assert states == set(State)


def test_what_was_sent_stays_sent() -> None:
    assert not [move for move, moves in MOVES.items() if State.SENT in moves]


def test_only_a_claim_leads_to_the_provider() -> None:
    assert {move for move, moves in MOVES.items() if State.SENDING in moves.values()} == {Move.CLAIM}
    assert MOVES[Move.CLAIM] == {State.WAITING: State.SENDING}


def test_what_may_have_been_sent_waits_again_only_when_its_result_or_somebody_says_so() -> None:
    leads = {move for move, moves in MOVES.items() if moves.get(State.UNKNOWN) is State.WAITING}
    assert leads == {Move.RETRY, Move.REPLAY}
