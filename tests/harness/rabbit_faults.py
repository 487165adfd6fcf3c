"""Faults of a private RabbitMQ, as by an operator, an accident or a full machine, and how to undo them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import amqp

from tests.harness.rabbitmq import PLACES, PrivateRabbit
from tests.harness.services import find_binary

EXCHANGE = "notifications"
PERMISSIONS = ("configure", "write", "read")


def ctl(rabbit: PrivateRabbit, *words: str) -> str:
    """Run rabbitmqctl against the node; return what it prints."""
    tool = find_binary("rabbitmqctl", *PLACES)
    assert tool is not None
    return rabbit.run_tool(str(tool), "-q", *words)


def memory_alarm(rabbit: PrivateRabbit, *, on: bool) -> None:
    """Raise or end the memory alarm, which blocks publishers."""
    ctl(rabbit, "set_vm_memory_high_watermark", "absolute", "1" if on else "2000000000")


def disk_alarm(rabbit: PrivateRabbit, *, on: bool) -> None:
    """Raise or end the alarm of too little free disk."""
    ctl(rabbit, "set_disk_free_limit", "999999GB" if on else "50MB")


def permissions(rabbit: PrivateRabbit, *, without: str = "", vhost: str = "/") -> None:
    """Give the user all permissions except one."""
    ctl(
        rabbit,
        "set_permissions",
        "-p",
        vhost,
        "guest",
        *("^$" if without == p else ".*" for p in PERMISSIONS),
    )


def without_permission(rabbit: PrivateRabbit, which: str) -> None:
    """Take one permission from the user."""
    assert which in PERMISSIONS
    permissions(rabbit, without=which)


def delete_exchange(rabbit: PrivateRabbit, *, declared_again: bool = False) -> None:
    """Delete the exchange; `declared_again`: another client declares it at once, without our bindings."""
    with connected(rabbit) as channel:
        channel.exchange_delete(EXCHANGE)
        if declared_again:
            channel.exchange_declare(EXCHANGE, "direct", durable=True, auto_delete=False)


def delete_queues(rabbit: PrivateRabbit) -> None:
    """Delete every queue, exclusive ones too."""
    every = '[catch rabbit_amqqueue:delete(Q, false, false, <<"t">>) || Q <- rabbit_amqqueue:list()], ok.'
    ctl(rabbit, "eval", every)


def remove_bindings(rabbit: PrivateRabbit, key: str = "") -> None:
    """Remove the bindings of the exchange: all, or those of one routing key. Queues stay."""
    of_key = f' andalso Key =:= <<"{key}">>' if key else ""
    ctl(
        rabbit,
        "eval",
        f'E = rabbit_misc:r(<<"/">>, exchange, <<"{EXCHANGE}">>), '
        '[rabbit_binding:remove(B, <<"t">>) || B = {binding, _, Key, _, _} <- '
        f"rabbit_binding:list_for_source(E), is_binary(Key){of_key}], ok.",
    )


@contextmanager
def connected(rabbit: PrivateRabbit) -> Iterator[amqp.Channel]:
    """Yield a channel of another client."""
    with (
        amqp.Connection(f"127.0.0.1:{rabbit.port}", connect_timeout=5, read_timeout=10) as connection,
        connection.channel() as channel,
    ):
        yield channel
