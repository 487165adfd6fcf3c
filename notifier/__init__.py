"""Live Notifications: the names that an application imports.

    from notifier import Alert, define_event, send_notification, update_badge

Importing this package starts nothing and connects to nothing; its names are imported when
they are used, so that events, frames and errors never import SQLAlchemy or Celery.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from notifier.change import cancel_notification, send_all, update_notification
    from notifier.core.categories import Reach, define_category
    from notifier.core.errors import InvalidInput, NotifierError
    from notifier.core.events import Action, Alert, Badge, define_event
    from notifier.recipients import set_recipient
    from notifier.send import send_notification, update_badge
    from notifier.signals import (
        client_connected,
        client_disconnected,
        notification_accepted,
        notification_delivered,
        notification_dispatched,
        notification_read,
    )

_HOMES = {
    "Action": "core.events",
    "Alert": "core.events",
    "Badge": "core.events",
    "define_event": "core.events",
    "Reach": "core.categories",
    "define_category": "core.categories",
    "InvalidInput": "core.errors",
    "NotifierError": "core.errors",
    "cancel_notification": "change",
    "send_all": "change",
    "update_notification": "change",
    "set_recipient": "recipients",
    "send_notification": "send",
    "update_badge": "send",
    "client_connected": "signals",
    "client_disconnected": "signals",
    "notification_accepted": "signals",
    "notification_delivered": "signals",
    "notification_dispatched": "signals",
    "notification_read": "signals",
}

__all__ = [
    "Action",
    "Alert",
    "Badge",
    "InvalidInput",
    "NotifierError",
    "Reach",
    "cancel_notification",
    "client_connected",
    "client_disconnected",
    "define_category",
    "define_event",
    "notification_accepted",
    "notification_delivered",
    "notification_dispatched",
    "notification_read",
    "send_all",
    "send_notification",
    "set_recipient",
    "update_badge",
    "update_notification",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
