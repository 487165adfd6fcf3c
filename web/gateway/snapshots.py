"""Read the snapshots with which sockets start; concurrent hellos share their transactions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import gevent
from gevent.lock import BoundedSemaphore

from models.store import devices, snapshots
from models.store.devices import Joined
from notifier.core.deadline import NEVER, seconds_left, within
from notifier.core.errors import DatabaseTimeout, Unavailable
from notifier.core.group import Group
from notifier.core.log import MAX_BEHIND, Snapshot
from notifier.outbox.engine import Database
from notifier.outbox.types import now as utc_now
from usecases import failover
from web.gateway.acks import announce

AT_ONCE = 50  # hellos that share a transaction, at most
NEAR = 100  # entries; a client further behind is read by itself
FAR_AT_ONCE = 2  # of those, so that connections are left for the API


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """A socket's request to start, or to continue after a gap.

    Attributes:
        user_id, device, socket: the socket's; an anonymous one has no device.
        after: the seq up to which it has the log; None: it needs a window.
        repair: it continues, so what its device is sent is already recorded.
        user_agent: what the browser says it is.
        issued_at: when its token was issued, seconds since 1970.
    """

    user_id: str
    device: str | None
    socket: str
    after: int | None
    repair: bool
    user_agent: str | None
    issued_at: float = math.inf

    def joined(self, at: Snapshot) -> Joined | None:
        """Return what to record for its device; None: nothing."""
        if self.device is None or (self.repair and not at.reset):
            return None
        acked = None if self.repair or at.reset == "ahead" else self.after
        window = window_of(at, self.after)
        return Joined(self.user_id, self.device, self.socket, acked, *window, self.user_agent, self.issued_at)


def window_of(at: Snapshot, after: int | None) -> tuple[int, int]:
    """Return `window_from` and `log_from` of a socket that starts with this snapshot."""
    if at.window is not None or after is None:
        return (at.window[0].seq if at.window else at.head + 1), at.head
    return after + 1, after


class SnapshotLoader:
    """Reads the snapshots with which sockets start, and records what their devices are being sent."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._near: Group[SnapshotRequest, Snapshot | None] = Group(
            self._join, max_items=AT_ONCE, hopeless=Unavailable, timeout=database.timeout
        )
        self._far = BoundedSemaphore(FAR_AT_ONCE)

    def __call__(self, request: SnapshotRequest) -> Snapshot:
        """Return the socket's snapshot. Raises DatabaseUnavailable."""
        with within(self._database.timeout):
            at = self._near(request)
            if at is None:
                at = self._join_far(request)
        assert at is not None
        return at

    def _join_far(self, request: SnapshotRequest) -> Snapshot | None:
        left = seconds_left()
        if not self._far.acquire(timeout=None if left == NEVER else left):
            raise DatabaseTimeout("too many sockets are far behind")
        try:
            return self._join([request], near=MAX_BEHIND)[0]
        finally:
            self._far.release()

    def _join(self, requests: Sequence[SnapshotRequest], near: int = NEAR) -> list[Snapshot | None]:
        where = [(w.user_id, w.after) for w in requests]
        found = failover.read(self._database, lambda c: snapshots.snapshots(c, where, near=near))
        starts = (request.joined(at) for request, at in zip(requests, found, strict=True) if at)
        joins = [start for start in starts if start]
        if joins:
            delivered = self._database.run(lambda c: devices.joined(c, joins, now=utc_now()))
            if delivered:
                gevent.spawn(announce, delivered)  # a slow receiver of the signal must not hold up a hello
        return found
