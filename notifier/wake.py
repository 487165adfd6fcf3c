"""Wake the workers with Celery tasks.

A wake-up says "look": a lost, doubled or late one changes only the delay.

One long-lived thread (a greenlet in a gevent process) sends all wake-ups of its process, so that callers
never wait for the broker and the producer's connection stays open. A single wake-up is sent at once. Further
ones within a short pause share the next, since each makes a worker drain everything that waits. The more
notifications shared the last one, the longer the pause: a batch costs a worker hardly more than one alert.
"""

import atexit
import contextlib
import logging
import threading
import time
from typing import Any

from celery import Celery
from uuid_utils import uuid7

from notifier.broker.faults import LASTING, diagnose
from notifier.broker.topology import TASK_QUEUE, configure_celery, connect_once
from notifier.core.backoff import Backoff
from notifier.core.forks import in_child, making
from notifier.settings import Settings
from notifier.signals import broker_failed, emit

log = logging.getLogger(__name__)

SEND = "notifier.send_notification"
CHUNK = "notifier.dispatch_chunk"
WOKEN_AT = "woken_at"  # message header: when it was sent, in milliseconds since 1970 UTC
PAUSE = 0.005  # seconds between two wake-ups, at least
PAUSE_EACH = 0.003  # seconds for each notification that shared the last wake-up
PAUSE_MAX = 0.02  # seconds
TRANSIENT = 1  # delivery mode: lost when the broker restarts; the sweep finds the row
RETRY, RETRY_LONGEST = 1.0, 2.0  # seconds between attempts while the broker is away
RETRY_REFUSED = 5.0  # seconds, after refusals that only somebody at the broker can end
MAX_BULK = 1_000  # bulk ids kept while it is away; the sweep finds the rest
EXIT_FLUSH = 2.0  # seconds


def woken_now() -> dict[str, int]:
    """Return the header that says when a wake-up was sent; older workers ignore it."""
    return {WOKEN_AT: time.time_ns() // 1_000_000}


def pause_after(shared: int) -> float:
    """Return the seconds to wait after a wake-up for `shared` notifications."""
    return max(PAUSE, min(PAUSE_MAX, PAUSE_EACH * shared))


class Waker:
    """Wakes the workers. Every method is safe to call from any thread, and after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reset()
        in_child(self._reset)  # the thread is not in the child
        atexit.register(self.flush, EXIT_FLUSH)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._single: str | None = None
        self._shared = 0  # how many notifications `_single` is for
        self._bulk: list[str] = []
        self._busy = False
        self._early = False  # connect before the first wake-up
        self._thread: threading.Thread | None = None
        self._broker_down = False

    def wake(self, id: str, *, bulk: bool = False) -> None:
        """Ask for the notification `id` to be dispatched; returns at once, and never fails."""
        with self._changed:
            if not bulk:
                self._single = id  # one wake-up drains everything that waits
                self._shared += 1
            elif len(self._bulk) < MAX_BULK:
                self._bulk.append(id)
            self._start()
            self._changed.notify_all()

    def warm(self) -> None:
        """Connect now, so that the first wake-up need not. Does not raise when the broker is down."""
        with self._changed:
            self._early = True
            self._start()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="notifier-waker", daemon=True)
            self._thread.start()

    def flush(self, timeout: float) -> bool:
        """Wait until all wake-ups are sent, `timeout` seconds at most; return whether they are."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._single or self._bulk or self._busy:
                if self._broker_down or not self._changed.wait(deadline - time.monotonic()):
                    return False
        return True

    def _run(self) -> None:
        producer, next_at = None, float("-inf")
        backoff = Backoff(RETRY, RETRY_LONGEST)
        if self._early:
            with contextlib.suppress(Exception):  # logged when there is something to send
                producer = self._connect()
        while True:
            with self._changed:
                while not (self._single or self._bulk):
                    self._changed.wait()
            time.sleep(max(0.0, next_at - time.monotonic()))
            with self._changed:
                single, self._single = self._single, None
                shared, self._shared = self._shared, 0
                bulk, self._bulk = self._bulk, []
                self._busy = True
            kept = producer is not None
            try:
                producer = producer or self._connect()
                next_at = time.monotonic() + pause_after(shared)
                if single:
                    self._send(producer, SEND, single)
                while bulk:
                    self._send(producer, CHUNK, bulk[-1])
                    bulk.pop()
            except Exception as exc:  # noqa: BLE001  kombu's transports raise errors of their own
                emit(broker_failed, self, part="wake")
                if not kept and not self._broker_down:
                    log.warning(
                        "wake-up failed, the sweep will find it: notification=%s error=%r",
                        single or bulk[-1],
                        exc,
                    )
                self._close(producer)
                producer = None
                with self._changed:
                    self._single = self._single or single
                    self._bulk = [*bulk, *self._bulk][:MAX_BULK]
                    self._broker_down, self._busy = not kept, False
                    self._changed.notify_all()
                if not kept:  # else at once: the broker was restarted, or another one of the list is running
                    lasting = diagnose(exc).state in LASTING
                    time.sleep(backoff.next_pause(RETRY_REFUSED if lasting else None))
            else:
                backoff.reset()
                if self._broker_down:
                    log.warning("the broker is back: wake-ups are sent again")
                with self._changed:
                    self._broker_down, self._busy = False, False
                    self._changed.notify_all()

    def _connect(self) -> Any:
        with making:
            app, connection = self._make()
        connect_once(connection, self._settings)
        return app, app.amqp.Producer(connection, auto_declare=False)

    def _make(self) -> tuple[Celery, Any]:
        """Return Celery's application and a connection that is not open yet.

        Everything that Celery and kombu import on first use is imported here, and not in the middle of a
        send: a process may fork at any moment (`notifier.core.forks`).
        """
        app = Celery("notifier", loader="app", set_as_current=False)
        configure_celery(app, self._settings)
        connection = app.connection_for_write()
        _ = connection.transport, app.amqp.Producer, app.amqp.queues, app.amqp.send_task_message
        "localhost".encode("idna")  # as `getaddrinfo` does
        return app, connection

    @staticmethod
    def _send(producer: Any, name: str, id: str) -> None:
        app, kombu_producer = producer
        # As `send_task`, without its router and its result object, which are not needed.
        message = app.amqp.create_task_message(str(uuid7()), name, (), {"id": id}, ignore_result=True)
        app.amqp.send_task_message(
            kombu_producer, name, message, queue=TASK_QUEUE, retry=False, headers=woken_now(),
            delivery_mode=TRANSIENT,
        )  # fmt: skip

    @staticmethod
    def _close(producer: Any) -> None:
        if producer:
            try:
                producer[1].connection.collapse()
            except Exception as exc:  # noqa: BLE001  it is broken already
                log.debug("closing the broken connection: %r", exc)
