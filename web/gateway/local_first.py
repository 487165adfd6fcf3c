"""Publish from a web process: to its own sockets first, then to the broker."""

from collections.abc import Sequence

from notifier.broker.message import Message
from notifier.broker.publisher import Publisher
from web.gateway.hub import Hub


class LocalFirst:
    """A publisher that reaches its own process without the broker.

    The broker delivers each message back; the session drops the second copy.

    Args:
        hub: the sockets of this process.
        publisher: sends the messages to the other gateways.
    """

    def __init__(self, hub: Hub, publisher: Publisher) -> None:
        self._hub = hub
        self._publisher = publisher

    def publish(self, messages: Sequence[Message]) -> None:
        """Deliver the messages here, and send them to the broker. Raises BrokerUnavailable."""
        for message in messages:
            self._hub.deliver(message)
        self._publisher.publish(messages)
