"""The parts of the gateway that a socket's loop uses, passed to each connection."""

from collections.abc import Callable
from dataclasses import dataclass

from notifier.core.session import Principal
from notifier.outbox.engine import Database
from notifier.settings import Settings
from web.gateway.acks import Acks
from web.gateway.deadlines import Deadlines
from web.gateway.hub import Hub
from web.gateway.local_first import LocalFirst
from web.gateway.presence import Presence
from web.gateway.snapshots import SnapshotLoader
from web.gateway.turns import Turns
from web.one_at_a_time import OneAtATime


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a gateway that its connections use.

    Attributes:
        settings: intervals and limits.
        gateway: the gateway's id, for the log.
        verify: turns a token into a Principal, or raises Unauthenticated.
        database, publisher: for changes of state.
        hub: the connected users.
        snapshots: reads the snapshots with which sockets start.
        acks, presence: the write-behind buffers.
        changes: runs the changes of one user one after the other.
        turns, deadlines: when a connection does its work.
    """

    settings: Settings
    gateway: str
    verify: Callable[[str], Principal]
    database: Database
    publisher: LocalFirst
    hub: Hub
    snapshots: SnapshotLoader
    acks: Acks
    presence: Presence
    changes: OneAtATime
    turns: Turns
    deadlines: Deadlines
