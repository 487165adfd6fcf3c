"""Celery's transport over the file broker: kombu's filesystem transport with its faults fixed.

Celery gets it by name (`topology.celery_config`). The layout is kombu's own, so a plain kombu
producer that writes into the same folder is understood. It works with kombu 5.3 too, beside which an
application may have the library. What is different (kombu 5.7, kombu/transport/filesystem.py):

- `_put` creates the file and then writes it: a reader may take an empty one. Here it is written
  under a hidden name and renamed.
- `_get` moves a file to /tmp, perhaps another file system, and raises on what is not a message, which
  ends a Celery worker. Here the file is read in place, and the process that succeeds in deleting it
  owns the message. A file that is not a message (yet) is skipped, and set aside after some seconds.
- It sorts by name, so a message of millisecond 1000 comes before one of 999. Here by number.
- It lists the folder for each message. Here one listing serves all messages in it.
- Exchange files are written in place, and the first bind is a race. Here they are replaced, under a
  lock.
- Known bindings are shared by the whole process, for all folders. Here by the connection.
"""

# mypy: disable-error-code="no-untyped-call"
# (kombu and py-amqp carry no types)

import contextlib
import fcntl
import itertools
import json
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

from notifier import private
from notifier.broker.topology import POLL_INTERVAL

GRACE = 5.0  # seconds for which a foreign producer's file may be incomplete
REJECTED = "rejected"  # the folder inside the data folder for files that contain no message
SUFFIX = ".msg"
Binding: Any = filesystem.exchange_queue_t

log = logging.getLogger(__name__)
_counter = itertools.count()


class Channel(filesystem.Channel):
    """A channel whose files appear complete, and which no file can stop."""

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self._listings: dict[str, deque[str]] = {}
        self._make_folders()

    def _make_folders(self) -> None:
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            private.make_own_folder(Path(folder))

    def _put(  # type: ignore[override]  # kombu's two base classes differ
        self, queue: str, payload: dict[str, Any], **_kwargs: Any
    ) -> None:
        if "/" in queue or "\0" in queue:
            raise ChannelError(f"Invalid queue name: {queue!r}")
        now = time.monotonic_ns()  # the machine's clock in ms, as in kombu's own file names
        name = (
            f"{now // 1_000_000}_{now % 1_000_000:06d}{next(_counter):09d}{uuid.uuid4().hex}.{queue}{SUFFIX}"
        )
        folder = Path(self.data_folder_out)
        hidden = folder / f".{name}"
        try:
            with open(hidden, "w", opener=private.opener) as file:
                file.write(dumps(payload))
            hidden.rename(folder / name)
        except OSError as exc:
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise ChannelError(f"Cannot add {name!r} to {str(folder)!r}") from exc

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:  # noqa: ARG002 - kombu's
        listing = self._listings.get(queue)
        if not listing:
            listing = self._listings[queue] = deque(self._list(queue))
        while listing:
            file = Path(self.data_folder_in) / listing.popleft()
            with contextlib.suppress(OSError):  # another process was quicker
                payload = self._parse(file)
                if payload is not None:
                    file.unlink()
                    return payload
        raise Empty

    def _list(self, queue: str) -> list[str]:
        """Return the files of a queue, oldest first."""
        ending = f"{queue}{SUFFIX}"
        try:
            with os.scandir(self.data_folder_in) as entries:
                names = [e.name for e in entries if e.name.partition(".")[2] == ending]
        except FileNotFoundError:
            log.warning("the folder of the tasks was deleted, and is made again: %s", self.data_folder_in)
            self._make_folders()
            return []
        return sorted(names, key=_age_order)

    def _parse(self, file: Path) -> dict[str, Any] | None:
        """Return the message in a file, or None if it is none (yet). Raises OSError."""
        try:
            payload: dict[str, Any] = loads(file.read_bytes().decode())
            self.Message(payload, channel=self)  # decodes what would break Celery
        except OSError:
            raise
        except Exception as exc:  # noqa: BLE001 - whatever a foreign file holds must stop nobody
            if time.time() - file.stat().st_mtime > GRACE:
                self._set_aside(file, exc)
            return None
        return payload

    def _set_aside(self, file: Path, why: Exception) -> None:
        folder = file.parent / REJECTED
        folder.mkdir(exist_ok=True)
        file.rename(folder / file.name)
        log.warning("set aside %s, which is not a message: %s: %.80s", file.name, type(why).__name__, why)

    def _exchange_file(self, exchange: str) -> Path:
        """Return the file of an exchange's bindings, which is in the control folder itself."""
        if not exchange or exchange.startswith(".") or "/" in exchange or "\0" in exchange:
            raise ChannelError(f"Invalid exchange name: {exchange!r}")
        return Path(self.control_folder) / f"{exchange}.exchange"

    def get_table(self, exchange: str) -> list[Any]:
        """Return an exchange's bindings; none while its file does not exist."""
        file = self._exchange_file(exchange)
        try:
            return [Binding(*row) for row in json.loads(file.read_text())]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError) as exc:
            log.warning("the exchange file %s cannot be read (%s); taken as empty", file.name, exc)
            return []

    @contextlib.contextmanager
    def _changing(self, exchange: str) -> Iterator[list[Any]]:
        """Hold the exchange's lock, yield its bindings, and replace them atomically."""
        file = self._exchange_file(exchange)
        with open(file.with_name(f"{file.name}.lock"), "wb", opener=private.opener) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                table = self.get_table(exchange)
                before = list(table)
                yield table
                if table != before or not file.exists():
                    fresh = file.with_name(f".{file.name}.new")
                    with open(fresh, "w", opener=private.opener) as whole:
                        whole.write(json.dumps(table))
                    fresh.replace(file)
            finally:
                # Closing alone does not release the lock when a forked child has the file open.
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = Binding(routing_key or "", pattern or "", queue or "")
        with self._changing(exchange) as table:
            if binding not in table:
                table.append(binding)

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)
        binding = Binding(routing_key or "", pattern or "", queue or "")
        with self._changing(exchange) as table:
            table[:] = [row for row in table if row != binding]


class Transport(filesystem.Transport):
    """kombu's filesystem transport over the channel above."""

    Channel = Channel
    polling_interval = POLL_INTERVAL

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.state = virtual.BrokerState()


def _age_order(name: str) -> tuple[int, str]:
    stamp, _, rest = name.partition("_")
    return (int(stamp) if stamp.isascii() and stamp.isdigit() else 0, rest)
