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

import amqp

from notifier.broker import amqp_connection
from notifier.broker.amqp_one_queue import AmqpOneQueueLink
from notifier.broker.amqp_subscribe import AmqpSubscribeLink
from notifier.broker.file_subscribe import FileSubscribeLink
from notifier.broker.message import Message
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscription import MAX_BODY, Receiver, Request, Stats, SubscribeLink, Subscription
from notifier.broker.topology import connection_options
from notifier.settings import Settings
from notifier.signals import broker_failed, emit, message_refused

MAX_SEQ = (1 << 63) - 1  # a bigint
IDLE = 1.0  # seconds that the loop waits at most before it looks around
BACKOFF_FIRST, BACKOFF_LAST = 0.1, 2.0  # seconds between attempts to reconnect

Opener = Callable[[Receiver], SubscribeLink]

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
        opener: makes a link that hands messages to a receiver; the broker's own unless given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        gateway_id: str,
        on_message: Callable[[Message], None],
        on_recovered: Callable[[], None],
        opener: Opener | None = None,
    ) -> None:
        self._waker = SelfPipe()
        self._opener = opener or _opener(settings, gateway_id, self._waker)
        self._on_message = on_message
        self._on_recovered = on_recovered
        self._lock = threading.Lock()
        self._wanted: dict[str, Subscription] = {}
        self._changed: dict[str, None] = {}  # users to look at, oldest change first
        self._made: dict[str, int] = {}  # what the broker was asked for: the number of the request
        self._unconfirmed: set[int] = set()  # those of them that it has not confirmed
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._connected = False
        self._away = False  # the last attempt to connect failed
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
        """Stop asking for a user's events. Callable from any thread."""
        with self._lock:
            subscription = self._wanted.pop(user_id, None)
            if subscription is None:
                return
            self._changed[user_id] = None
        subscription.settle(False)
        self._waker.wake()

    def run(self) -> None:
        """Connect, receive, reconnect; return after `stop`. If it raises, run it again."""
        delay = BACKOFF_FIRST
        try:
            while not self._stop.is_set():
                link = self._open()
                if link is not None:
                    try:
                        self._recover(link)
                        delay = BACKOFF_FIRST
                        self._serve(link)
                    except amqp_connection.LinkError as exc:
                        emit(broker_failed, self, part="subscribe")
                        strange = not isinstance(exc, amqp.exceptions.AMQPError | OSError)
                        log.warning("lost the broker: %s: %s", type(exc).__name__, exc, exc_info=strange)
                    finally:
                        self._end()
                        link.close()
                self._stop.wait(delay * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                delay = min(delay * 2, BACKOFF_LAST)
        finally:
            if self._stop.is_set():
                self._waker.close()

    def stop(self) -> None:
        """Make `run` return soon, from any thread; those who wait for a subscription go on."""
        self._stop.set()
        self._waker.wake()

    def accept(self, user_id: str, seq: object, body: object) -> None:
        """Check a message as it came, and hand it on; called by the link, in the loop."""
        data = _utf8(body)
        if type(seq) is not int or not 0 < seq <= MAX_SEQ or data is None:
            self.stats.refused += 1
            emit(message_refused, self, what="event")
            if self.stats.refused == 1:
                log.warning("refused a malformed message (seq %.40r); the next ones are only counted", seq)
            return
        self.stats.messages += 1
        try:
            self._on_message(Message(user_id, seq, data))
        except Exception:
            self.stats.failures += 1
            log.exception("a message could not be handled")

    def confirm(self, requests: list[Request]) -> None:
        """Let those who wait for these go on; called by the link, in the loop."""
        with self._lock:
            for user_id, number in requests:
                self._unconfirmed.discard(number)
                if self._made.get(user_id) == number and (subscription := self._wanted.get(user_id)):
                    subscription.settle(True)

    def _open(self) -> SubscribeLink | None:
        try:
            link = self._opener(self)
        except amqp_connection.LinkError as exc:
            emit(broker_failed, self, part="subscribe")
            log.log(
                logging.DEBUG if self._away else logging.WARNING, "no broker: %s: %s", type(exc).__name__, exc
            )
            self._away = True
            return None
        self._away = False
        return link

    def _recover(self, link: SubscribeLink) -> None:
        """Make all subscriptions (again), then tell the gateway."""
        with self._lock:
            self._made.clear()
            self._unconfirmed.clear()
            self._changed = dict.fromkeys(self._wanted)
            self._connected = True
            for subscription in self._wanted.values():
                subscription.begin()
        self.stats.connections += 1
        while (self._changed or link.busy) and not self._stop.is_set():
            self._apply(link)
            link.wait(IDLE)
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

    def _end(self) -> None:
        with self._lock:
            self._connected = False
            for subscription in self._wanted.values():
                subscription.settle(False)

    def _apply(self, link: SubscribeLink) -> None:
        """Ask the broker for what has changed, as much as there is room for."""
        with self._lock:
            users = list(itertools.islice(self._changed, max(0, link.max_requests)))
            coming, leaving = [], []
            for user in users:
                del self._changed[user]
                subscription, number = self._wanted.get(user), self._made.get(user)
                if subscription is None:
                    if number is not None:
                        leaving.append(user)
                elif number is None:
                    coming.append((user, next(self._numbers)))
                elif number not in self._unconfirmed:
                    subscription.settle(True)  # left and came back before anything was done
            for user in leaving:
                self._unconfirmed.discard(self._made.pop(user))
            self._made.update(coming)
            self._unconfirmed.update(number for _, number in coming)
        if leaving:
            link.unsubscribe(leaving)
        if coming:
            self.stats.batches += 1
            link.subscribe(coming)


def _opener(settings: Settings, gateway_id: str, waker: SelfPipe) -> Opener:
    options = connection_options(settings)
    if options.is_file:
        return lambda receiver: FileSubscribeLink(options, gateway_id, receiver, waker)
    dialer = amqp_connection.Dialer(options, f"notifier gateway {gateway_id}")
    link = AmqpOneQueueLink if settings.event_queues == "gateway" else AmqpSubscribeLink
    return lambda receiver: link.open(dialer, options, gateway_id, receiver, waker)


def _utf8(body: object) -> bytes | None:
    """Return a body's bytes if it is text of a size we take; else None."""
    try:
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes) and 0 < len(body) <= MAX_BODY:
            body.decode()
            return body
    except UnicodeError:
        pass
    return None
