"""The publisher: sends committed changes to the broker, and fails fast when it cannot.

One for each process, shared by its threads or greenlets. What is lost here is not lost for clients: the
gateways notice the gap and fetch it from SQL.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from notifier.broker.amqp_connection import LinkError
from notifier.broker.amqp_publish import AmqpPublishLink, BrokerRefused
from notifier.broker.faults import LASTING, UNREACHABLE, BrokerBlocked, Fault, diagnose
from notifier.broker.file_publish import FilePublishLink
from notifier.broker.message import Message
from notifier.broker.topology import connection_options, routing_key
from notifier.core.backoff import Backoff, Jitter, by_chance
from notifier.core.errors import BrokerUnavailable
from notifier.core.forks import in_child
from notifier.settings import Settings
from notifier.signals import broker_failed, emit

FAIL_FAST = 1.0  # seconds after a failure during which nothing is tried
PAUSE_LONGEST = 4.0  # seconds more, after refusals that only somebody at the broker can end


class PublishLink(Protocol):
    """An open connection to one broker."""

    def send(self, messages: Sequence[Message], deadline: float) -> None:
        """Send all messages; return when the broker has them. Raises one of LinkError."""

    def probe(self, keys: Sequence[str], deadline: float) -> set[str]:
        """Return those of the routing keys that no queue is bound to. Raises one of LinkError."""

    def check(self, deadline: float) -> None:
        """Do everything once that needs a permission. Raises one of LinkError."""

    def close(self) -> None:
        """Close politely."""

    def drop(self) -> None:
        """Close at once."""

    def forget(self) -> None:
        """Close this process's copy, without disturbing the parent process that owns it."""


Opener = Callable[[float], PublishLink]


class Publisher:
    """Publishes messages with confirms, over one connection, which is made when needed.

    Args:
        settings: the broker's address.
        timeout: seconds that `publish` takes at most (roughly).
        clock: monotonic seconds, for the fail-fast pause.
        jitter: see `Backoff`.
        opener: makes a link until a deadline (`time.monotonic`); the broker's own unless given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Jitter = by_chance,
        opener: Opener | None = None,
    ) -> None:
        self._open = opener or _opener(settings)
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._link: PublishLink | None = None
        self._closed_until = float("-inf")
        self._last_failure: BaseException | None = None
        self._refusals = Backoff(FAIL_FAST / 2, PAUSE_LONGEST, jitter)
        self._fault: Fault | None = None
        in_child(self._leave_to_parent)

    @property
    def fault(self) -> Fault | None:
        """The broker's fault at the last `publish` or `probe`; None: there was none."""
        return self._fault

    def publish(self, messages: Sequence[Message]) -> None:
        """Send the messages to the broker in one burst; return when it has confirmed them all.

        Messages to users without a listener are dropped. Some of a failed burst may have arrived.

        Raises:
            BrokerUnavailable: within about `timeout` seconds, and at once in the second after a
                failure; its cause is what went wrong. Without such a second when the broker answers,
                and refuses some of the messages.
        """
        if messages:
            with self._turn() as deadline:
                self._over_link(lambda link: link.send(messages, deadline), deadline)

    def probe(self, user_ids: Sequence[str]) -> list[str]:
        """Return the users for whom no gateway has a subscription at the broker.

        Their events would be dropped. Raises BrokerUnavailable as `publish` does.
        """
        keys = {routing_key(user_id): user_id for user_id in user_ids}
        unroutable: set[str] = set()
        with self._turn() as deadline:
            self._over_link(lambda link: unroutable.update(link.probe(list(keys), deadline)), deadline)
        return [user_id for key, user_id in keys.items() if key in unroutable]

    def check(self) -> None:
        """Do everything once that needs a permission. Raises BrokerUnavailable as `publish` does."""
        with self._turn() as deadline:
            self._over_link(lambda link: link.check(deadline), deadline)

    @contextmanager
    def _turn(self) -> Iterator[float]:
        """Wait for the connection's turn, yield the deadline, and turn what fails into BrokerUnavailable."""
        self._fail_fast()
        deadline = time.monotonic() + self._timeout
        if not self._lock.acquire(timeout=self._timeout):
            raise BrokerUnavailable("the broker is slow: another publish is still waiting for it")
        try:
            self._fail_fast()  # another caller may have failed while this one waited
            yield deadline
        except BrokerRefused as exc:
            # The node of a queue died; its gateway reconnects and reads SQL. Others are not affected.
            emit(broker_failed, self, part="publish")
            raise BrokerUnavailable(str(exc)) from exc
        except LinkError as exc:
            fault = self._failed(exc)
            what = f"does not answer ({type(exc).__name__})"
            if fault.state != UNREACHABLE:
                what = f"accepts nothing: {fault.state}, {fault.detail}"
            raise BrokerUnavailable(f"the broker {what}") from exc
        else:
            self._last_failure = self._fault = None
            self._refusals.reset()
        finally:
            self._lock.release()

    def _failed(self, exc: Exception) -> Fault:
        fault = self._fault = diagnose(exc)
        emit(broker_failed, self, part="publish", state=fault.state)
        if not isinstance(exc, BrokerBlocked):  # asking a blocked link again costs nothing
            pause = self._refusals.next_pause() if fault.state in LASTING else 0.0
            self._closed_until, self._last_failure = self._clock() + FAIL_FAST + pause, exc
        return fault

    def close(self) -> None:
        """Close the connection. A later `publish` makes a new one."""
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def _over_link(self, work: Callable[[PublishLink], None], deadline: float) -> None:
        link, self._link = self._link, None
        if link is not None:
            try:
                self._keep_if_good(link, work)
            except (BrokerRefused, BrokerBlocked):
                raise
            except LinkError:
                # A kept connection may be stale (the broker restarted): once more, with a new one.
                # Gateways drop duplicates by their seq.
                if time.monotonic() >= deadline:
                    raise
            else:
                return
        self._keep_if_good(self._open(deadline), work)

    def _keep_if_good(self, link: PublishLink, work: Callable[[PublishLink], None]) -> None:
        """Do the work, and keep the link if the broker answers, even if it accepts nothing."""
        try:
            work(link)
        except (BrokerRefused, BrokerBlocked):
            self._link = link
            raise
        except BaseException:
            link.drop()
            raise
        self._link = link

    def _fail_fast(self) -> None:
        if self._clock() < self._closed_until:
            raise BrokerUnavailable("the broker did not answer a moment ago") from self._last_failure

    def _leave_to_parent(self) -> None:
        link, self._link = self._link, None
        self._lock = threading.Lock()  # the parent's may be held by a thread that is not here
        if link is not None:
            link.forget()


def _opener(settings: Settings) -> Opener:
    options = connection_options(settings)
    return FilePublishLink.opener(options) if options.is_file else AmqpPublishLink.opener(options)
