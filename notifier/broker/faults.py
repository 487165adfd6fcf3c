"""Find out from an error what is wrong with the broker, and the cure in one line.

`/readyz`, `notifier_broker_state` and the log use the same states. RabbitMQ names the resource in
its answer (`access to queue 'x' in vhost '/' refused`), and the refused method says which permission it
needs (https://www.rabbitmq.com/docs/access-control#authorisation).
"""

import errno
import re
from typing import NamedTuple

import amqp

UNREACHABLE = "unreachable"
BLOCKED = "blocked"  # an alarm of RabbitMQ, memory or disk: it accepts no messages
FORBIDDEN = "no permission"
MISMATCH = "other arguments"  # a queue or an exchange of the name exists, declared differently
UNBOUND = "unbound"  # the exchange, a queue or a binding was deleted: made again within two seconds
DISK_FULL = "disk full"  # of the file broker
STATES = (UNREACHABLE, BLOCKED, FORBIDDEN, MISMATCH, UNBOUND, DISK_FULL)

#: These occur at each attempt until somebody changes something at the broker.
LASTING = frozenset({FORBIDDEN, MISMATCH})

# The permission that a method (AMQP 0-9-1 class and method id) needs on the resource it names.
_PERMISSIONS = {
    ((40, 10), "exchange"): "configure",
    ((50, 10), "queue"): "configure",
    ((50, 20), "queue"): "write",
    ((50, 20), "exchange"): "read",
    ((50, 40), "queue"): "configure",
    ((50, 50), "queue"): "write",
    ((50, 50), "exchange"): "read",
    ((60, 20), "queue"): "read",
    ((60, 40), "exchange"): "write",
}
_RESOURCE = re.compile(r"(queue|exchange) '([^']*)'")
_ARGUMENT = re.compile(r"inequivalent arg '([^']*)'")
_GATEWAYS_QUEUE = re.compile(r"^(user|gateway)\..+")


class BrokerBlocked(OSError):
    """The broker accepts no messages for now (an alarm: memory or disk)."""


class Unbound(OSError):
    """A probe to one of our queues was not routed to any queue."""


class Fault(NamedTuple):
    """A fault of the broker.

    Attributes:
        state: one of `STATES`.
        detail: more exactly, without user, password or virtual host.
        cure: what to do; empty when the fault ends by itself or when the broker is started.
    """

    state: str
    detail: str
    cure: str = ""


def diagnose(error: BaseException) -> Fault:
    """Return the fault that caused `error`."""
    if isinstance(error, BrokerBlocked):
        return Fault(
            BLOCKED,
            "an alarm of RabbitMQ stops publishers",
            "free memory or disk there: `rabbitmqctl status` lists the alarms",
        )
    if isinstance(error, Unbound):
        return Fault(UNBOUND, str(error))
    if isinstance(error, amqp.exceptions.AMQPError):
        return _refusal(error)
    if isinstance(error, OSError):
        return _of_system(error)
    return Fault(UNREACHABLE, f"{type(error).__name__}: {error}")


def _refusal(error: amqp.exceptions.AMQPError) -> Fault:
    text = str(error.reply_text or "")
    found = _RESOURCE.search(text)
    if isinstance(error, amqp.exceptions.AccessRefused):
        if found is None:
            return Fault(FORBIDDEN, "login refused", "mend user and password in NOTIFIER_BROKER_URL")
        kind, name = found.groups()
        permission = _PERMISSIONS.get((tuple(error.method_sig or ()), kind), "")
        needed = f"{permission} permission".strip()
        resource = f"{kind} {_shown(name)!r}"
        return Fault(
            FORBIDDEN,
            f"no {needed} on {resource}",
            f"give it with `rabbitmqctl set_permissions`: {needed} on {resource}",
        )
    if isinstance(error, amqp.exceptions.NotAllowed):
        return Fault(FORBIDDEN, "no access to the virtual host", "`rabbitmqctl add_vhost`, `set_permissions`")
    if isinstance(error, amqp.exceptions.PreconditionFailed) and found is not None:
        kind, name = found.groups()
        argument = _ARGUMENT.search(text)
        resource = f"{kind} {_shown(name)!r}"
        differs = f" ({argument[1]} differs)" if argument else ""
        return Fault(MISMATCH, f"{resource} exists with other arguments{differs}", f"delete {resource}")
    if isinstance(error, amqp.exceptions.NotFound):
        kind, name = found.groups() if found is not None else ("queue", "")
        return Fault(UNBOUND, f"{kind} {_shown(name)!r} is gone")
    if isinstance(error, amqp.exceptions.ConsumerCancelled):
        return Fault(UNBOUND, "a queue of ours was deleted")
    return Fault(UNREACHABLE, f"{type(error).__name__}: {text or error}")


def _of_system(error: OSError) -> Fault:
    """Return the fault of an error of the network, or of the file broker's folders."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Fault(DISK_FULL, "no space left under NOTIFIER_VAR_DIR", "free some")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Fault(FORBIDDEN, "NOTIFIER_VAR_DIR cannot be written", "let the user of this process write it")
    if isinstance(error, FileNotFoundError):
        return Fault(UNBOUND, "a folder of the file broker is gone")
    return Fault(UNREACHABLE, f"{type(error).__name__}: {error}")


def _shown(name: str) -> str:
    """Return a queue's name as a pattern for an operator, since each user's queue has its own."""
    return _GATEWAYS_QUEUE.sub(r"\1.…", name)
