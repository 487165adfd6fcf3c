"""The signals to which an application can listen (blinker, like Flask's).

A receiver runs where the signal is sent (a gateway or a worker); keep it short. If it raises, the error is
logged and nothing else happens.
"""

import logging
from typing import Any, Final

from blinker import NamedSignal, Namespace

log = logging.getLogger(__name__)
_signals = Namespace()

#: A socket said hello. Sent with user_id, device, socket_id.
client_connected: Final = _signals.signal("client-connected")
#: A socket closed. Sent with user_id, device, socket_id, code.
client_disconnected: Final = _signals.signal("client-disconnected")
#: A notification is durable. Sent with id, recipients; with `session=`, after the commit.
notification_accepted: Final = _signals.signal("notification-accepted")
#: A notification is in every recipient's inbox. Sent with id.
notification_dispatched: Final = _signals.signal("notification-dispatched")
#: A delivery counts as delivered for the first time. Sent with id, user_id.
notification_delivered: Final = _signals.signal("notification-delivered")
#: A user read entries. Sent with user_id and ids, or through.
notification_read: Final = _signals.signal("notification-read")

#: The broker could not be reached, was lost, or refuses. Sent with part: `publish`, `wake` or `subscribe`;
#: and state (see `notifier.broker.faults`), where it is known.
broker_failed: Final = _signals.signal("broker-failed")
#: A change of state is committed but could not be published. Sent with user_id and seq.
change_unpublished: Final = _signals.signal("change-unpublished")
#: A message of the broker broke a rule and was rejected. Sent with what: `event` or `task`; a task's with
#: reason, headers, content_type and body (bytes) too.
message_rejected: Final = _signals.signal("message-rejected")


def emit(signal: NamedSignal, sender: object, **what: Any) -> None:
    """Send a signal to every receiver; one that raises is logged, and the others are still called."""
    if not signal.receivers:
        return
    for receiver in signal.receivers_for(sender):
        try:
            receiver(sender, **what)
        except Exception:
            log.exception("a receiver of %s raised", signal.name)
