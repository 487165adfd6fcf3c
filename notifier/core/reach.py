"""The states of a channel's row, and the moves between them. Pure.

A row (`notifier_reach`) is one delivery to one address over one channel.
See docs/contract.md#10-channels-to-those-who-are-not-there.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

CLAIM_SECONDS: Final = 60  # from `sending` to its deadline, by the database's clock
DIGEST_ENTRIES: Final = 10  # that a digest lists


class State(StrEnum):
    """The state of a row."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    GONE = "gone"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"


class Move(StrEnum):
    """A transition of a row."""

    CLAIM = "claim"  # a worker takes it
    SKIP = "skip"  # it is not wanted any more
    SENT = "sent"  # the provider has it, however late that is heard
    RETRY = "retry"  # the provider has it certainly not
    FAIL = "fail"  # likewise, and the attempts are used up
    GONE = "gone"  # the address is no longer there
    REFUSE = "refuse"  # the provider does not take this message
    LOSE = "lose"  # nobody can know: a crash, the deadline, an answer that did not come
    REPLAY = "replay"  # an operator, or NOTIFIER_UNKNOWN=retry


_S = State
#: Move -> state before -> state after. What is not here is not a move.
MOVES: Final[Mapping[Move, Mapping[State, State]]] = {
    Move.CLAIM: {_S.WAITING: _S.SENDING},
    Move.SKIP: {_S.WAITING: _S.SKIPPED},
    # What is known to be sent is never sent again, so this one decides from wherever the row is by now.
    Move.SENT: dict.fromkeys((_S.SENDING, _S.UNKNOWN, _S.WAITING, _S.FAILED, _S.SKIPPED), _S.SENT),
    Move.RETRY: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.WAITING),
    Move.FAIL: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.FAILED),
    Move.GONE: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.GONE),
    Move.REFUSE: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.REFUSED),
    Move.LOSE: {_S.SENDING: _S.UNKNOWN},
    Move.REPLAY: dict.fromkeys((_S.FAILED, _S.UNKNOWN), _S.WAITING),
}


class Skipped(StrEnum):
    """Why a row was skipped (its `reason`)."""

    READ = "read"
    SEEN = "seen"
    RETRACTED = "retracted"
    EXPIRED = "expired"
    OFF = "switched off"
    ERASED = "erased"
    COLLAPSED = "collapsed"
    SNOOZED = "snoozed"


#: The `reason` of a row that waits for the end of quiet hours or a pause.
QUIET: Final = "quiet hours"
