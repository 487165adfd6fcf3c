"""The subscriber: the only consumer of users' events in a gateway process.

`run` is a loop for one long-lived thread or greenlet; it alone touches the connection (AMQP
connections and channels must not cross threads). Other threads note what they want with `subscribe` and
`unsubscribe`. The loop compares what is wanted with what exists at the broker and applies the difference,
so that nothing is queued and a reconnect needs no history.
"""

import itertools
import logging
import threading
from collections.abc import Callable, Iterable

from amqp.exceptions import AMQPError

from notifier.broker.amqp_connection import LinkError
from notifier.broker.fault_log import FaultLog
from notifier.broker.faults import LASTING, UNREACHABLE, Fault, Unbound, diagnose
from notifier.broker.message import Message
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscribe_links import Opener, opener_for
from notifier.broker.subscription import Request, Stats, SubscribeLink, Subscription, checked
from notifier.core.backoff import Backoff, Jitter, by_chance
from notifier.settings import Settings
from notifier.signals import broker_failed, emit, message_rejected

IDLE = 1.0  # seconds that the loop waits at most before it checks for work
BACKOFF_FIRST, BACKOFF_LAST = 0.1, 2.0  # seconds between attempts to reconnect
BACKOFF_REFUSED = 5.0  # seconds, after refusals that only somebody at the broker can end

log = logging.getLogger(__name__)


class Subscriber:
    """Keeps this gateway subscribed to its users, across lost connections.

    Args:
        settings: the broker's address.
        gateway_id: this process's name (`topology.new_gateway_id`).
        on_message: called in the loop with each message, in each user's order; must not block, nor
            wait for a subscription.
        on_recovered: called in the loop once after each reconnect, when all subscriptions are made
            again: messages may have been lost before. Also after a first connect that some
            subscription did not wait for.
        opener: makes a link that hands messages to a receiver; the broker's own unless given.
        jitter: see `Backoff`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        gateway_id: str,
        on_message: Callable[[Message], None],
        on_recovered: Callable[[], None],
        opener: Opener | None = None,
        jitter: Jitter = by_chance,
    ) -> None:
        self._jitter = jitter
        self._waker = SelfPipe()
        self._opener = opener or opener_for(settings, gateway_id, self._waker)
        self._on_message = on_message
        self._on_recovered = on_recovered
        self._lock = threading.Lock()
        self._wanted: dict[str, Subscription] = {}
        self._changed: dict[str, None] = {}  # users whose subscription has changed, oldest change first
        self._renewed: set[str] = set()  # those whose subscription is made again although it exists
        self._made: dict[str, int] = {}  # what the broker was asked for: user -> number of the request
        self._unconfirmed: set[int] = set()  # those of them that it has not confirmed
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._connected = False
        self._fault: Fault | None = Fault(UNREACHABLE, "not connected yet")
        self._reconnect_for = ""  # why another thread asks for a new connection
        self._missed = False  # a subscription was asked for while there was no connection
        self.stats = Stats()
        self.fault_log = FaultLog()

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""
        return self._connected

    @property
    def fault(self) -> Fault | None:
        """The fault that keeps this gateway from getting events; None: there is none."""
        return self._fault

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
        """Stop asking for a user's events. Callable from any thread."""
        with self._lock:
            subscription = self._wanted.pop(user_id, None)
            if subscription is None:
                return
            self._changed[user_id] = None
        subscription.settle(False)
        self._waker.wake()

    def renew(self, user_ids: Iterable[str]) -> list[Subscription]:
        """Make these users' subscriptions again, from any thread; return those to wait for."""
        with self._lock:
            renewed = [wanted for user in user_ids if (wanted := self._wanted.get(user)) and self._connected]
            for subscription in renewed:
                subscription.begin()
                self._renewed.add(subscription.user_id)
                self._changed[subscription.user_id] = None
        self._waker.wake()
        return renewed

    def reconnect(self, why: str) -> None:
        """Make the connection and every subscription again, from any thread."""
        self._reconnect_for = why
        self._waker.wake()

    def run(self) -> None:
        """Connect, receive, reconnect; return after `stop`. If it raises, run it again."""
        backoff = Backoff(BACKOFF_FIRST, BACKOFF_LAST, self._jitter)
        try:
            while not self._stop.is_set():
                link: SubscribeLink | None = None
                try:
                    link = self._opener(self)
                    self._recover(link)
                    backoff.reset()
                    self._serve(link)
                except LinkError as exc:
                    self._failed(exc)
                finally:
                    self._end()
                    if link is not None:
                        link.close()
                lasting = self._fault and self._fault.state in LASTING
                self._stop.wait(backoff.next_pause(BACKOFF_REFUSED if lasting else None))
        finally:
            if self._stop.is_set():
                self._waker.close()

    def stop(self) -> None:
        """Make `run` return soon, from any thread; calls that wait for a subscription return."""
        self._stop.set()
        self._waker.wake()

    def accept(self, user_id: str, seq: object, body: object) -> None:
        """Check an incoming message, and pass it on; called by the link, in the loop."""
        message = checked(user_id, seq, body)
        if message is None:
            self.stats.rejected += 1
            emit(message_rejected, self, what="event")
            if self.stats.rejected == 1:
                log.warning("rejected a malformed message (seq %.40r); the next ones are only counted", seq)
            return
        self.stats.messages += 1
        try:
            self._on_message(message)
        except Exception:
            self.stats.failures += 1
            log.exception("a message could not be handled")

    def confirm(self, requests: list[Request]) -> None:
        """Let calls that wait for these return; called by the link, in the loop."""
        with self._lock:
            for user_id, number in requests:
                self._unconfirmed.discard(number)
                if self._made.get(user_id) == number and (subscription := self._wanted.get(user_id)):
                    subscription.settle(True)

    def _failed(self, exc: Exception) -> None:
        """Keep the fault, and log it once."""
        self._fault = diagnose(exc)
        emit(broker_failed, self, part="subscribe", state=self._fault.state)
        strange = None if isinstance(exc, AMQPError | OSError) else exc
        self.fault_log.begins("subscribe", self._fault, strange)

    def _recover(self, link: SubscribeLink) -> None:
        """Make all subscriptions (again), then tell the gateway."""
        with self._lock:
            self._made.clear()
            self._unconfirmed.clear()
            self._renewed.clear()
            self._reconnect_for = ""
            self._changed = dict.fromkeys(self._wanted)
            self._connected = True
            for subscription in self._wanted.values():
                subscription.begin()
        self.stats.connections += 1
        while (self._changed or link.busy) and not self._stop.is_set():
            self._apply(link)
            link.wait(IDLE)
        self._fault = None
        self.fault_log.ends("subscribe")
        log.info("connected to the broker, with %d subscriptions", len(self._made))
        missed, self._missed = self._missed, False
        if missed or self.stats.connections > 1:
            try:
                self._on_recovered()
            except Exception:
                self.stats.failures += 1
                log.exception("on_recovered failed")

    def _serve(self, link: SubscribeLink) -> None:
        while not self._stop.is_set():
            self._apply(link)
            link.wait(IDLE)
            if self._reconnect_for:
                raise Unbound(self._reconnect_for)

    def _end(self) -> None:
        with self._lock:
            self._connected = False
            for subscription in self._wanted.values():
                subscription.settle(False)

    def _apply(self, link: SubscribeLink) -> None:
        """Ask the broker for what has changed, as far as the limit of pending requests allows."""
        with self._lock:
            users = list(itertools.islice(self._changed, max(0, link.max_requests)))
            coming, leaving = [], []
            for user in users:
                del self._changed[user]
                subscription, number = self._wanted.get(user), self._made.get(user)
                renewed = user in self._renewed
                self._renewed.discard(user)
                if subscription is not None and number is not None and renewed:
                    leaving.append(user)
                    coming.append((user, next(self._numbers)))
                elif subscription is None:
                    if number is not None:
                        leaving.append(user)
                elif number is None:
                    coming.append((user, next(self._numbers)))
                elif number not in self._unconfirmed:
                    subscription.settle(True)  # unsubscribed and subscribed again before anything was sent
            for user in leaving:
                self._unconfirmed.discard(self._made.pop(user))
            self._made.update(coming)
            self._unconfirmed.update(number for _, number in coming)
        if leaving:
            link.unsubscribe(leaving)
        if coming:
            self.stats.batches += 1
            link.subscribe(coming)
