"""An error of the broker has a state and a cure."""

from __future__ import annotations

import errno

import pytest
from amqp import exceptions

from notifier.broker import faults
from notifier.broker.faults import diagnose

QUEUE = "queue 'user.9f86d081.0a-3' in vhost '/' refused for user 'guest'"


@pytest.mark.parametrize(
    ("error", "state", "detail"),
    [
        (ConnectionRefusedError(111, "refused"), faults.UNREACHABLE, "ConnectionRefusedError"),
        (exceptions.ConnectionForced("shutdown", (0, 0)), faults.UNREACHABLE, "shutdown"),
        (AttributeError("x"), faults.UNREACHABLE, "AttributeError"),
        (faults.BrokerBlocked("blocked"), faults.BLOCKED, "alarm"),
        (
            exceptions.AccessRefused("ACCESS_REFUSED - Login was refused using authentication", (0, 0)),
            faults.FORBIDDEN,
            "login refused",
        ),
        (
            exceptions.AccessRefused(f"ACCESS_REFUSED - access to {QUEUE}", (50, 10)),
            faults.FORBIDDEN,
            "no configure permission on queue 'user.…'",
        ),
        (
            exceptions.AccessRefused(f"ACCESS_REFUSED - access to {QUEUE}", (50, 20)),
            faults.FORBIDDEN,
            "no write permission on queue 'user.…'",
        ),
        (
            exceptions.AccessRefused("ACCESS_REFUSED - access to exchange 'notifications' in …", (50, 20)),
            faults.FORBIDDEN,
            "no read permission on exchange 'notifications'",
        ),
        (
            exceptions.AccessRefused("ACCESS_REFUSED - access to exchange 'notifications' in …", (60, 40)),
            faults.FORBIDDEN,
            "no write permission on exchange 'notifications'",
        ),
        (
            exceptions.NotAllowed("NOT_ALLOWED - vhost x not found", (10, 40)),
            faults.FORBIDDEN,
            "virtual host",
        ),
        (
            exceptions.PreconditionFailed(
                "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'notifier' in vhost '/': …",
                (50, 10),
            ),
            faults.MISMATCH,
            "queue 'notifier' exists with other arguments (durable differs)",
        ),
        (
            exceptions.NotFound("NOT_FOUND - no exchange 'notifications' in vhost '/'", (60, 40)),
            faults.UNBOUND,
            "exchange 'notifications' is gone",
        ),
        (exceptions.ConsumerCancelled("deleted"), faults.UNBOUND, "a queue of ours was deleted"),
        (faults.Unbound("the exchange was deleted"), faults.UNBOUND, "the exchange was deleted"),
        (OSError(errno.ENOSPC, "no space"), faults.DISK_FULL, "NOTIFIER_VAR_DIR"),
        (PermissionError(errno.EACCES, "denied"), faults.FORBIDDEN, "NOTIFIER_VAR_DIR"),
        (FileNotFoundError(errno.ENOENT, "gone"), faults.UNBOUND, "folder"),
    ],
)
def test_an_error_names_its_fault(error: Exception, state: str, detail: str) -> None:
    fault = diagnose(error)
    assert fault.state == state
    assert fault.state in faults.STATES
    assert detail in fault.detail
    for secret in ("guest", "vhost '/'"):
        assert secret not in fault.detail + fault.cure
    assert fault.cure or state in (faults.UNREACHABLE, faults.UNBOUND)
