"""Checks each second whether events reach this gateway, and declares again what was deleted.

Its messages reach a queue of this gateway or are returned, so it notices every fault on the path: a broker
that accepts nothing, a missing permission, an exchange that was deleted (and perhaps declared again, without
our bindings), a binding that was removed.
"""

import logging
from collections.abc import Callable, Sequence

from notifier.broker.faults import UNBOUND, Fault
from notifier.broker.publisher import Publisher
from notifier.broker.subscriber import Subscriber
from notifier.broker.subscription import Subscription
from notifier.broker.topology import gateways_own
from notifier.core.errors import BrokerUnavailable
from notifier.signals import broker_failed, emit
from web import metrics

log = logging.getLogger(__name__)

USERS_AT_ONCE = 20  # users whose bindings are checked at a time
CHECK_EACH = 5  # checks between two checks of permissions
CONFIRM_TIMEOUT = 2.0  # seconds


class BrokerWatch:
    """Finds the broker's faults; call `look` each second.

    Args:
        publisher: this process's publisher, which probes the broker.
        subscriber: this gateway's subscriber, which declares again what is gone.
        gateway_id: this gateway's name.
        users: returns those whose subscriptions the broker has confirmed.
        missed: called when events may have been missed.
    """

    def __init__(
        self,
        publisher: Publisher,
        subscriber: Subscriber,
        gateway_id: str,
        *,
        users: Callable[[], Sequence[str]],
        missed: Callable[[], None],
    ) -> None:
        self._publisher = publisher
        self._subscriber = subscriber
        self._own_id = gateways_own(gateway_id)
        self._own: Subscription | None = None
        self._users = users
        self._missed = missed
        self._to_look_at: list[str] = []
        self._looks = 0

    @property
    def fault(self) -> Fault | None:
        """The fault; None: events are accepted and arrive."""
        return self._subscriber.fault or self._publisher.fault

    def show(self) -> None:
        """Write the gauges."""
        fault = self.fault
        metrics.BROKER_UP.set(fault is None)
        for state, gauge in metrics.BROKER_STATE.items():
            gauge.set(fault is not None and fault.state == state)

    def look(self) -> None:
        """Probe the broker, log a change, and repair what can be repaired here."""
        if self._subscriber.fault is not None:
            return  # it logs that itself, and tries again
        if self._own is None:
            # Not before there is a connection, or the first one would pass for a recovery.
            self._own = self._subscriber.subscribe(self._own_id)
        if not self._own.wait(CONFIRM_TIMEOUT):
            return
        connections = self._subscriber.stats.connections
        try:
            if self._looks % CHECK_EACH == 0:
                self._publisher.check()
            self._looks += 1
            lost = self._publisher.probe([self._own_id, *self._next_users()])
        except BrokerUnavailable:
            if self._publisher.fault is not None:
                self._subscriber.fault_log.begins("publish", self._publisher.fault)
            return
        self._subscriber.fault_log.ends("publish")
        if connections != self._subscriber.stats.connections or self._subscriber.fault is not None:
            return  # what was probed is gone
        if self._own_id in lost:
            self._subscriber.reconnect("the exchange was deleted, or the bindings of this gateway")
        elif lost:
            self._renew(lost)

    def _renew(self, lost: Sequence[str]) -> None:
        here = set(self._users())
        renewed = self._subscriber.renew([user_id for user_id in lost if user_id in here])
        if not renewed:
            return  # these users left meanwhile
        emit(broker_failed, self, part="subscribe", state=UNBOUND)
        log.warning("bindings were removed at the broker, making them again: users=%d", len(renewed))
        for subscription in renewed:
            subscription.wait(CONFIRM_TIMEOUT)
        self._missed()

    def _next_users(self) -> list[str]:
        """Return the next users whose bindings are checked, all in turn."""
        if not self._to_look_at:
            self._to_look_at = list(self._users())
        taken, self._to_look_at = self._to_look_at[:USERS_AT_ONCE], self._to_look_at[USERS_AT_ONCE:]
        here = set(self._users()) if taken else set()
        return [user_id for user_id in taken if user_id in here]
