"""Subscribe over the file broker: check the inbox every 20 ms."""

import selectors

from notifier.broker.file_bus import FileBus, Inbox, Parcel
from notifier.broker.message import PROBE
from notifier.broker.self_pipe import SelfPipe
from notifier.broker.subscription import MAX_BODY, Receiver, Request
from notifier.broker.topology import POLL_INTERVAL, BrokerOptions, routing_key

BATCH = 200  # subscriptions between two checks of the inbox


class FileSubscribeLink:
    """A gateway's inbox, used by the subscriber's loop only. Methods raise OSError."""

    def __init__(self, options: BrokerOptions, gateway_id: str, receiver: Receiver, waker: SelfPipe) -> None:
        self._receiver = receiver
        self._waker = waker
        self._users: dict[str, str] = {}
        self._inbox = Inbox(FileBus(options.events_folder), gateway_id)
        self._selector = selectors.DefaultSelector()
        self._selector.register(waker, selectors.EVENT_READ)

    max_requests = BATCH
    busy = False

    def subscribe(self, requests: list[Request]) -> None:
        """Bind the inbox to each user."""
        for user_id, _ in requests:
            self._users[routing_key(user_id)] = user_id
            self._inbox.bind(user_id)
        self._receiver.confirm(requests)

    def unsubscribe(self, user_ids: list[str]) -> None:
        """Unbind the inbox from each user."""
        for user_id in user_ids:
            self._inbox.unbind(user_id)
            self._users.pop(routing_key(user_id), None)

    def wait(self, timeout: float) -> None:
        """Deliver what has arrived; return after some of it, after a poll interval, or when woken."""
        for parcel in self._inbox.parcels():
            self._take(parcel)
        if self._selector.select(min(timeout, POLL_INTERVAL)):
            self._waker.clear()

    def close(self) -> None:
        """Remove the inbox and the bindings."""
        self._selector.close()
        self._inbox.close()

    def _take(self, parcel: Parcel) -> None:
        too_big = parcel.path.stat().st_size > MAX_BODY
        body = None if too_big else parcel.path.read_bytes()
        parcel.path.unlink()
        if parcel.seq == PROBE:
            return
        user_id = self._users.get(parcel.key) if parcel.key else ""  # "": not the name of a message
        if user_id is not None:
            seq = int(parcel.seq) if parcel.seq.isascii() and parcel.seq.isdigit() else parcel.seq
            self._receiver.accept(user_id, seq, body)
