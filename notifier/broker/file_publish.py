"""Publish over the file broker: write a file into the inbox of each gateway that listens."""

from collections.abc import Callable, Sequence

from notifier.broker.file_bus import FileBus
from notifier.broker.message import Message
from notifier.broker.topology import BrokerOptions, routing_key


class FilePublishLink:
    """A link to the folders, which keeps nothing open."""

    def __init__(self, bus: FileBus) -> None:
        self._bus = bus

    @classmethod
    def opener(cls, options: BrokerOptions) -> Callable[[float], "FilePublishLink"]:
        """Return a function that opens a link."""
        return lambda _deadline: cls(FileBus(options.events_folder))

    def send(self, messages: Sequence[Message], _deadline: float) -> None:
        """Write all messages; each appears whole or not at all. Raises OSError."""
        alive: dict[str, bool] = {}
        for message in messages:
            key = routing_key(message.user_id)
            for gateway in self._bus.listeners(key):
                if gateway not in alive:
                    alive[gateway] = self._bus.alive(gateway)
                if alive[gateway]:
                    self._bus.put(gateway, message, key)

    def probe(self, keys: Sequence[str], _deadline: float) -> set[str]:
        """Return those of the routing keys that no living gateway is bound to. Raises OSError.

        Also writes a file for the first one's gateway, to see whether that works.
        """
        unroutable = set()
        for number, key in enumerate(keys):
            listeners = [gateway for gateway in self._bus.listeners(key) if self._bus.alive(gateway)]
            if not listeners:
                unroutable.add(key)
            elif number == 0:
                self._bus.put_probe(listeners[0], key)
        return unroutable

    def check(self, _deadline: float) -> None:
        """Write a file where messages are written. Raises OSError."""
        self._bus.check()

    def close(self) -> None:
        """Do nothing: nothing is open."""

    drop = forget = close
