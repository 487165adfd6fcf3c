"""Choose the link of a subscriber by the broker, and by the queues of a gateway."""

from collections.abc import Callable

from notifier.broker.amqp_connection import Dialer
from notifier.broker.amqp_one_queue import AmqpOneQueueLink
from notifier.broker.amqp_subscribe import AmqpSubscribeLink
from notifier.broker.file_subscribe import FileSubscribeLink
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscription import Receiver, SubscribeLink
from notifier.broker.topology import connection_options
from notifier.settings import Settings

Opener = Callable[[Receiver], SubscribeLink]


def opener_for(settings: Settings, gateway_id: str, waker: SelfPipe) -> Opener:
    """Return a function that opens a link to the broker of these settings, for one receiver."""
    options = connection_options(settings)
    if options.is_file:
        return lambda receiver: FileSubscribeLink(options, gateway_id, receiver, waker)
    dialer = Dialer(options, f"notifier gateway {gateway_id}")
    link = AmqpOneQueueLink if settings.event_queues == "gateway" else AmqpSubscribeLink
    return lambda receiver: link.open(dialer, options, gateway_id, receiver, waker)
