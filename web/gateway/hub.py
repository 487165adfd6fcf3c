"""The connected users: for each one subscription, shared by their sockets.

A user's queue lingers some seconds after the last socket has closed, so that a page change costs
the broker nothing.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from models.store import inbox_heads
from notifier.broker.message import Message
from notifier.broker.subscription import Subscription
from notifier.core.errors import TooMany, Unavailable
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Database
from usecases import failover

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

SUBSCRIBE_TIMEOUT = 2.0  # seconds; without the broker's confirm a socket continues, and is repaired later
HEADS_AT_ONCE = 500


class Listener(Protocol):
    """What the hub needs of a socket."""

    def offer(self, seq: int, frame: bytes) -> None:
        """Accept an event; must not block."""

    def heard(self, head: int) -> None:
        """Accept the head of the log in SQL; must not block."""


class Subscribes(Protocol):
    """What the hub needs of a subscriber."""

    def subscribe(self, user_id: str) -> Subscription:
        """Subscribe."""

    def unsubscribe(self, user_id: str) -> None:
        """Unsubscribe."""


@dataclass(slots=True, eq=False)
class Room:
    """A user's sockets in this process."""

    user_id: str
    subscription: Subscription
    sockets: set[Listener] = field(default_factory=set)
    empty_since: float = 0.0


class Hub:
    """The rooms of this process.

    Args:
        subscriber: the process's one consumer.
        database: where the heads are.
        linger: seconds for which an empty room is kept.
        sockets_per_user: how many sockets a user may have here.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        subscriber: Subscribes,
        database: Database,
        *,
        linger: float,
        sockets_per_user: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subscriber = subscriber
        self._database = database
        self._linger = linger
        self._limit = sockets_per_user
        self._clock = clock
        self._rooms: dict[str, Room] = {}

    def join(self, user_id: str, socket: Listener) -> None:
        """Deliver the user's events to `socket` from now on; return when the broker has confirmed.

        Without a broker it returns at once; when the broker is back, every socket is compared with SQL.
        Raises TooMany.
        """
        room = self._rooms.get(user_id)
        if room is None:
            room = self._rooms[user_id] = Room(user_id, self._subscriber.subscribe(user_id))
        if len(room.sockets) >= self._limit:
            raise TooMany(f"a user has at most {self._limit} sockets here")
        room.sockets.add(socket)
        if not room.subscription.confirmed and not room.subscription.wait(SUBSCRIBE_TIMEOUT):
            log.debug("joined without the broker's confirm: user=%s", user_id)

    def leave(self, user_id: str, socket: Listener) -> None:
        """Deliver nothing to `socket` any more."""
        room = self._rooms.get(user_id)
        if room:
            room.sockets.discard(socket)
            room.empty_since = self._clock()

    def deliver(self, message: Message) -> None:
        """Pass an event to the user's sockets; never blocks."""
        room = self._rooms.get(message.user_id)
        if room:
            for socket in tuple(room.sockets):
                socket.offer(message.seq, message.body)

    def reap(self) -> None:
        """Unsubscribe the rooms that have been empty for long enough."""
        now = self._clock()
        for room in [
            r for r in self._rooms.values() if not r.sockets and r.empty_since + self._linger <= now
        ]:
            del self._rooms[room.user_id]
            self._subscriber.unsubscribe(room.user_id)

    def compare_heads(self) -> None:
        """Tell every socket the head of its user's log in SQL, so that it fetches what it missed."""
        users = [room.user_id for room in self._rooms.values() if room.sockets]
        for start in range(0, len(users), HEADS_AT_ONCE):
            some = users[start : start + HEADS_AT_ONCE]
            try:
                heads = failover.read(self._database, partial(inbox_heads.heads, user_ids=some))
            except Unavailable as exc:
                throttled.warning("heads not compared: error=%s", exc)
                return
            for user_id, head in heads.items():
                for socket in tuple(self._rooms[user_id].sockets) if user_id in self._rooms else ():
                    socket.heard(head)

    def confirmed(self) -> list[str]:
        """Return the users whose subscription the broker has confirmed."""
        return [room.user_id for room in self._rooms.values() if room.subscription.confirmed]

    def sockets(self) -> Iterator[Listener]:
        """Yield every socket."""
        for room in tuple(self._rooms.values()):
            yield from tuple(room.sockets)
