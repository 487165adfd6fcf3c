"""Publishing from a web process: its own sockets first, then the broker."""

from collections.abc import Sequence

from notifier.broker.message import Message
from notifier.broker.publisher import Publisher
from web.gateway.hub import Hub


class LocalFirst:
    """A publisher whose own process needs no broker.

    The broker brings each message back; the session drops the second copy.

    Args:
        hub: the sockets of this process.
        publisher: carries the messages to the other gateways.
    """

    def __init__(self, hub: Hub, publisher: Publisher) -> None:
        self._hub = hub
        self._publisher = publisher

    def publish(self, messages: Sequence[Message]) -> None:
        """Deliver the messages here, and hand them to the broker. Raises BrokerUnavailable."""
        for message in messages:
            self._hub.deliver(message)
        self._publisher.publish(messages)
