"""The subscriber: a gateway process's one consumer of its users' events.

`run` is a loop for one long-lived thread or greenlet; it alone touches the connection (AMQP
connections and channels do not cross threads). The others write down what they want in `subscribe`
and `unsubscribe`, and the loop makes it so: it compares what is wanted with what is made, so that
nothing is queued and a reconnect needs no history.
"""

import itertools
import logging
import random
import threading
from collections.abc import Callable

from notifier.broker import wire
from notifier.broker.amqp_subscribe import AmqpSubscribeLink
from notifier.broker.file_subscribe import FileSubscribeLink
from notifier.broker.message import Message
from notifier.broker.subscription import Stats, SubscribeLink, Subscription
from notifier.broker.topology import connection_options
from notifier.broker.waker import Waker
from notifier.settings import Settings

BATCH = 500  # subscriptions in one barrier
IDLE = 1.0  # seconds that the loop waits at most before it looks around
BACKOFF_FIRST, BACKOFF_LAST = 0.1, 2.0  # seconds between attempts to reconnect
MAX_BODY = 1 << 20  # bytes

log = logging.getLogger(__name__)


class Subscriber:
    """Keeps this gateway subscribed to its users, whatever becomes of the connection.

    Args:
        settings: where the broker is.
        gateway_id: this process's name (`topology.new_gateway_id`).
        on_message: called in the loop with each message, in each user's order; must not block, nor
            wait for a subscription.
        on_recovered: called in the loop once after each reconnect, when all subscriptions are made
            again: messages may have been lost before. Also after a first connect that some
            subscription did not wait for.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        gateway_id: str,
        on_message: Callable[[Message], None],
        on_recovered: Callable[[], None],
    ) -> None:
        self._options = connection_options(settings)
        self._dialer = wire.Dialer(self._options, f"notifier gateway {gateway_id}")
        self._gateway_id = gateway_id
        self._on_message = on_message
        self._on_recovered = on_recovered
        self._lock = threading.Lock()
        self._wanted: dict[str, Subscription] = {}
        self._changed: dict[str, None] = {}  # users to look at, oldest change first
        self._made: set[str] = set()  # the loop's own
        self._waker = Waker()
        self._stop = threading.Event()
        self._connected = False
        self._missed = False  # a subscription was asked for while there was no connection
        self.stats = Stats()

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._connected

    def subscribe(self, user_id: str) -> Subscription:
        """Ask for a user's events, from any thread; asking again returns the same subscription."""
        with self._lock:
            subscription = self._wanted.get(user_id)
            if subscription is None:
                subscription = self._wanted[user_id] = Subscription(user_id)
                self._changed[user_id] = None
                if not self._connected:
                    self._missed = True
                    subscription.settle(False)
        self._waker.wake()
        return subscription

    def unsubscribe(self, user_id: str) -> None:
        """Ask for a user's events no more, from any thread."""
        with self._lock:
            subscription = self._wanted.pop(user_id, None)
            if subscription is None:
                return
            self._changed[user_id] = None
        subscription.settle(False)
        self._waker.wake()

    def run(self) -> None:
        """Connect, receive, reconnect; return after `stop`."""
        for connections in itertools.count():
            delay = BACKOFF_FIRST
            while (link := self._open()) is None:
                if self._stop.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 - no secret
                    return
                delay = min(delay * 2, BACKOFF_LAST)
            try:
                self.stats.reconnects = connections
                self._begin()
                self._recover(link, again=connections > 0)
                while not self._stop.is_set():
                    self._apply(link)
                    link.wait(IDLE)
            except wire.LinkError as exc:
                log.warning("lost the broker: %s: %s", type(exc).__name__, exc)
            finally:
                self._end()
                link.close()
            if self._stop.is_set():
                return

    def stop(self) -> None:
        """Make `run` return soon, from any thread; those who wait for a subscription go on."""
        self._stop.set()
        self._waker.wake()

    def accept(self, user_id: str, seq: object, body: object) -> None:
        """Check a message as it came, and hand it on; called by the link, in the loop."""
        if isinstance(body, str):
            body = body.encode()
        if type(seq) is not int or seq < 1 or not isinstance(body, bytes) or not 0 < len(body) <= MAX_BODY:
            self.stats.refused += 1
            if self.stats.refused == 1:
                log.warning("refused a malformed message (seq %.40r); the next ones are only counted", seq)
            return
        self.stats.messages += 1
        try:
            self._on_message(Message(user_id, seq, body))
        except Exception:
            self.stats.failures += 1
            log.exception("a message could not be handled")

    def _open(self) -> SubscribeLink | None:
        try:
            if self._options.is_file:
                return FileSubscribeLink(self._options, self._gateway_id, self, self._waker)
            return AmqpSubscribeLink.open(self._dialer, self._options, self._gateway_id, self, self._waker)
        except wire.LinkError as exc:
            log.warning("no broker: %s: %s", type(exc).__name__, exc)
            return None

    def _begin(self) -> None:
        with self._lock:
            self._made.clear()
            self._changed = dict.fromkeys(self._wanted)
            self._connected = True
            for subscription in self._wanted.values():
                subscription.begin()

    def _end(self) -> None:
        with self._lock:
            self._connected = False
            for subscription in self._wanted.values():
                subscription.settle(False)

    def _recover(self, link: SubscribeLink, *, again: bool) -> None:
        """Make all subscriptions (again), then tell the gateway."""
        while self._apply(link) and not self._stop.is_set():
            pass
        missed, self._missed = self._missed, False
        if again or missed:
            try:
                self._on_recovered()
            except Exception:
                self.stats.failures += 1
                log.exception("on_recovered failed")

    def _apply(self, link: SubscribeLink) -> bool:
        """Make one batch of changes so; return whether there were any."""
        with self._lock:
            users = list(itertools.islice(self._changed, BATCH))
            wanted = {user: self._wanted[user] for user in users if user in self._wanted}
            for user in users:
                del self._changed[user]
        if not users:
            return False
        if leaving := [user for user in users if user not in wanted and user in self._made]:
            link.unsubscribe(leaving)
            self._made.difference_update(leaving)
        if coming := [user for user in wanted if user not in self._made]:
            link.subscribe(coming)
            self._made.update(coming)
            self.stats.batches += 1
        with self._lock:
            for user, subscription in wanted.items():
                if self._wanted.get(user) is subscription:
                    subscription.settle(True)
        return True
