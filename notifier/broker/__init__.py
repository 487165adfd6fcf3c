"""The broker: the only package beside `worker` that imports kombu and py-amqp.

One interface for publishers and gateways, with two brokers behind it: RabbitMQ, and a folder (the embedded
default).
"""

from notifier.broker.file_bus import clean_dead_gateways
from notifier.broker.message import Message
from notifier.broker.publisher import Publisher
from notifier.broker.subscriber import Subscriber
from notifier.broker.subscription import Subscription
from notifier.broker.topology import (
    EXCHANGE,
    TASK_QUEUE,
    celery_config,
    connect,
    new_gateway_id,
    queue_name,
    routing_key,
)

__all__ = [
    "EXCHANGE",
    "TASK_QUEUE",
    "Message",
    "Publisher",
    "Subscriber",
    "Subscription",
    "celery_config",
    "clean_dead_gateways",
    "connect",
    "new_gateway_id",
    "queue_name",
    "routing_key",
]
