"""The file broker's events: gateways' inboxes and bindings, as folders.

    events/
      gateways/<gateway>/lock              held (flock) while the gateway process lives
      gateways/<gateway>/inbox/*.msg       messages to it, one file each; a name that begins with
                                           a dot is still being written
      gateways/<gateway>/bound/<key>       the keys it is bound to, to clean up after it
      bindings/<key>/<gateway>             the same the other way round, to publish

`<key>` is `topology.routing_key`. Each step is one atomic call of the file system, so that processes
need no common lock; all are on one machine. It does not use kombu, whose virtual transports list each
queue by itself: with 1,000 connected users 1,000 listings every 20 ms.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from notifier import private
from notifier.broker.message import PROBE, Message
from notifier.broker.topology import connection_options, routing_key
from notifier.settings import Settings

STALE_NEWBORN = 60.0  # seconds after which a gateway folder that was never finished is removed
SUFFIX = ".msg"

_counter = itertools.count()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message file in an inbox, parsed from its name."""

    path: Path
    key: str
    seq: str


class FileBus:
    """The folders, with the operations of publishers and cleaners."""

    def __init__(self, folder: Path) -> None:
        self.gateways = folder / "gateways"
        self.bindings = folder / "bindings"

    def listeners(self, key: str) -> list[str]:
        """Return the gateways bound to `key`."""
        try:
            return _names(self.bindings / key)
        except FileNotFoundError:
            return []

    def put(self, gateway: str, message: Message, key: str) -> None:
        """Put a message into a gateway's inbox; nothing happens if the gateway is gone."""
        self._write(gateway, key, str(message.seq), message.body)

    def check(self) -> None:
        """Write a file beside the gateways' folders, and delete it. Raises OSError."""
        private.make_folder(self.gateways)
        file = self.gateways / f".check-{os.getpid()}-{next(_counter)}"
        try:
            file.write_bytes(b"{}")
        finally:
            file.unlink(missing_ok=True)  # on a full disk it is there, and empty

    def put_probe(self, gateway: str, key: str) -> None:
        """Put a file that is not an event into a gateway's inbox, to see whether it can be written."""
        self._write(gateway, key, PROBE, b"{}")

    def _write(self, gateway: str, key: str, seq: str, body: bytes) -> None:
        name = f"{_stamp()}-{next(_counter):09d}-{os.getpid()}.{key}.{seq}{SUFFIX}"
        inbox = self.gateways / gateway / "inbox"
        hidden = inbox / f".{name}"
        try:
            hidden.write_bytes(body)
            hidden.rename(inbox / name)
        except FileNotFoundError:
            return
        except OSError:
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise

    def alive(self, gateway: str) -> bool:
        """Whether the gateway's process lives: it holds its lock."""
        try:
            with (self.gateways / gateway / "lock").open("rb") as file:
                # Shared, so that two processes that check at once do not take each other for the owner.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False

    def clean(self) -> int:
        """Remove the bindings and messages of gateways that died; return how many did."""
        removed = 0
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.gateways):
                newborn = entry.name.startswith(".")
                if newborn and not _older(entry, STALE_NEWBORN):
                    continue
                if not entry.is_dir():
                    Path(entry.path).unlink(missing_ok=True)  # of a process that died during its check
                elif not self.alive(entry.name):
                    self.remove(entry.name)
                    removed += 1
        return removed

    def remove(self, gateway: str) -> None:
        """Remove a gateway's bindings, then its folder."""
        folder = self.gateways / gateway
        with contextlib.suppress(FileNotFoundError):
            for key in _names(folder / "bound"):
                self.unbind(gateway, key)
        shutil.rmtree(folder, ignore_errors=True)

    def bind(self, gateway: str, key: str) -> None:
        """Send messages for `key` to `gateway`."""
        (self.gateways / gateway / "bound" / key).touch()
        while True:
            with contextlib.suppress(FileExistsError):
                (self.bindings / key).mkdir(parents=True)
            try:
                (self.bindings / key / gateway).touch()
            except FileNotFoundError:
                continue  # the last other listener has just left and removed the folder
            return

    def unbind(self, gateway: str, key: str) -> None:
        """Undo `bind`, and remove the folder of a key without listeners."""
        with contextlib.suppress(FileNotFoundError):
            (self.bindings / key / gateway).unlink()
        with contextlib.suppress(OSError):
            (self.bindings / key).rmdir()
        with contextlib.suppress(FileNotFoundError):
            (self.gateways / gateway / "bound" / key).unlink()


class Inbox:
    """A running gateway's inbox: its lock, its bindings, its messages.

    Raises OSError when the folder cannot be made.
    """

    def __init__(self, bus: FileBus, gateway: str) -> None:
        self._bus = bus
        self._gateway = gateway
        private.make_own_folder(bus.gateways.parent)
        private.make_own_folder(bus.gateways)
        bus.clean()
        bus.remove(gateway)
        newborn = bus.gateways / f".{gateway}"
        shutil.rmtree(newborn, ignore_errors=True)
        for part in (newborn, newborn / "inbox", newborn / "bound"):
            part.mkdir(mode=0o700)
        self._lock = (newborn / "lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # It gets its name only when it is locked: an unlocked folder counts as a dead gateway's.
        newborn.rename(bus.gateways / gateway)
        self._folder = bus.gateways / gateway / "inbox"

    def bind(self, user_id: str) -> None:
        """Begin to receive a user's events."""
        self._bus.bind(self._gateway, routing_key(user_id))

    def unbind(self, user_id: str) -> None:
        """Stop receiving a user's events."""
        self._bus.unbind(self._gateway, routing_key(user_id))

    def parcels(self) -> list[Parcel]:
        """Return the messages that are here, oldest first.

        Messages that arrive while the folder is read are left for the next call: a listing may show the later
        of two and not the earlier one (POSIX, readdir).
        """
        began = _stamp()
        names = sorted(name for name in _names(self._folder) if not name.startswith("."))
        return [_parcel(self._folder / name) for name in names if not _since(began, name)]

    def close(self) -> None:
        """Remove the bindings and the folder."""
        self._bus.remove(self._gateway)
        self._lock.close()


def _stamp() -> str:
    """Return the time at the beginning of a name: the machine's monotonic clock."""
    return f"{time.monotonic_ns():020d}"


def _since(began: str, name: str) -> bool:
    """Whether a message was made after `began`; a file that is not named like a message was not."""
    stamp = name[: len(began)]
    return stamp >= began and stamp.isdigit()


def _names(folder: Path) -> list[str]:
    """Return what is in a folder: names only, since pathlib's iterdir costs three times as much."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _parcel(path: Path) -> Parcel:
    fields = path.name.removesuffix(SUFFIX).split(".", 2)
    return Parcel(path, *fields[1:]) if len(fields) == 3 else Parcel(path, "", "")


def _older(entry: "os.DirEntry[str]", seconds: float) -> bool:
    try:
        return time.time() - entry.stat().st_mtime > seconds
    except FileNotFoundError:
        return False


def clean_dead_gateways(settings: Settings) -> int:
    """Remove what gateways that died left with the file broker; return how many had died.

    Does nothing with RabbitMQ, which deletes exclusive queues itself. Each starting gateway calls this.
    """
    options = connection_options(settings)
    return FileBus(options.events_folder).clean() if options.is_file else 0
