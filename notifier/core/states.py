"""The states of a notification and their transitions: the state machine as data. Pure.

See docs/contract.md#8-the-life-of-a-notification.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

SCHEDULED: Final = "scheduled"
ACCEPTED: Final = "accepted"
DISPATCHED: Final = "dispatched"
DEAD: Final = "dead"
CANCELED: Final = "canceled"
RETRACTED: Final = "retracted"
EXPIRED: Final = "expired"

#: Withdrawn or expired: readers do not get its body any more.
WITHDRAWN: Final = frozenset({CANCELED, RETRACTED, EXPIRED})
STATES: Final = (SCHEDULED, ACCEPTED, DISPATCHED, DEAD, CANCELED, RETRACTED, EXPIRED)


class Move(StrEnum):
    """A transition."""

    DUE = "due"  # its time has been reached
    FINISH = "finish"  # every recipient has it
    GIVE_UP = "give up"  # its attempts are used up
    REPLAY = "replay"  # an operator replays a dead one
    CANCEL = "cancel"  # its sender withdraws it before anybody has it
    RETRACT = "retract"  # its sender withdraws it after somebody has it
    EXPIRE = "expire"


#: (state, move) -> the state after it. Others are not possible.
MOVES: Final[Mapping[tuple[str, Move], str]] = {
    (SCHEDULED, Move.DUE): ACCEPTED,
    (SCHEDULED, Move.CANCEL): CANCELED,
    (SCHEDULED, Move.EXPIRE): EXPIRED,
    (ACCEPTED, Move.FINISH): DISPATCHED,
    (ACCEPTED, Move.GIVE_UP): DEAD,
    (ACCEPTED, Move.CANCEL): CANCELED,
    (ACCEPTED, Move.RETRACT): RETRACTED,  # a broadcast in progress
    (ACCEPTED, Move.EXPIRE): EXPIRED,
    (DISPATCHED, Move.RETRACT): RETRACTED,
    (DISPATCHED, Move.EXPIRE): EXPIRED,
    (DEAD, Move.REPLAY): ACCEPTED,
    (DEAD, Move.CANCEL): CANCELED,
    (DEAD, Move.RETRACT): RETRACTED,  # a broadcast that died in progress
    # Repeated: it does not change.
    (CANCELED, Move.CANCEL): CANCELED,
    (RETRACTED, Move.RETRACT): RETRACTED,
}


def after(state: str, move: Move) -> str | None:
    """Return the state after a move; None: it is not possible."""
    return MOVES.get((state, move))


def before(move: Move) -> frozenset[str]:
    """Return the states in which a move is possible."""
    return frozenset(state for state, one in MOVES if one is move)
