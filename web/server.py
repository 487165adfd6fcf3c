"""gunicorn's classes and hooks; `gunicorn.conf.py` names them.

gunicorn's master imports this before gevent has patched anything, so modules that look for gevent at import
(psycopg, Flask) are imported later, in the worker.
"""

import errno
import gc
import os
import subprocess
import sys
import time
from typing import Any

from gevent.server import StreamServer
from gunicorn import glogging, systemd
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.ggevent import GeventWorker

from monitoring import multiprocess
from monitoring.logs import configure
from notifier.core.errors import SettingError
from notifier.settings import Settings
from usecases import definitions, listen_address, ready
from web.handles import raise_handles

#: Garbage collections of the oldest generation check every object of every socket, and all sockets wait:
#: 150 ms with 3,000 sockets. The objects of a closed socket are freed without them, so they may be rare.
GC_THRESHOLD = (700, 10, 200)
#: A handshake takes about 1 ms, in which nothing else is served.
MAX_ACCEPT = 8
NO_TLS = (
    "certfile, keyfile: gunicorn's own TLS cannot serve WebSockets here; "
    "let the proxy in front end TLS (docs/deploy.md)\n"
)
WATCH_INTERVAL = 0.1  # seconds between two checks whether the worker must stop


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's logger, with our line format, unless a log file is configured."""

    def setup(self, cfg: Any) -> None:
        """Send gunicorn's lines to our log."""
        super().setup(cfg)
        configure(Settings.load())
        if cfg.errorlog == "-":
            self.error_log.handlers.clear()
            self.error_log.propagate = True


class DeadlineReader:
    """A reader of a request's body that raises RequestTimeout (408) when the body takes too long.

    A body that breaks HTTP (a chunk's size, its end) is BadRequest (400).

    Args:
        reader: gunicorn's reader.
        timeout: seconds for the whole body.
    """

    def __init__(self, reader: Any, timeout: float) -> None:
        self._reader = reader
        self.unreader = getattr(reader, "unreader", None)  # which may have read on, behind the request
        self._until = time.monotonic() + timeout

    def read(self, size: int) -> bytes:
        """Read up to `size` bytes, as gunicorn's reader does. Raises RequestTimeout and BadRequest."""
        import gevent  # noqa: PLC0415
        from werkzeug.exceptions import BadRequest, RequestTimeout  # noqa: PLC0415

        late = RequestTimeout("The request's body did not come in time.")
        try:
            with gevent.Timeout(max(0.001, self._until - time.monotonic()), late):
                data: bytes = self._reader.read(size)
                return data
        except TimeoutError:  # the socket's timeout, just before
            raise late from None
        except (NoMoreData, ParseException):
            raise BadRequest("The request's body is not framed as HTTP requires.") from None


class Worker(GeventWorker):  # type: ignore[misc]
    """gunicorn's gevent worker, with bounds for slow clients.

    It limits the time to send a body and to read an answer, and keeps many new connections from delaying
    open ones. At its end it waits for the gateway.
    """

    gateway: Any = None  # set by `post_worker_init`

    def init_process(self) -> None:
        """Import the application and serve; look for no garbage meanwhile, which is a fifth of that time."""
        gc.disable()  # until `post_worker_init`
        super().init_process()

    def run(self) -> None:
        """Serve; handle open sockets after a few new ones, where gevent would accept a hundred first."""
        StreamServer.max_accept = MAX_ACCEPT
        self._request_timeout = Settings.load().request_timeout
        # gunicorn's own handling of it answers 500 when the proxy has removed the prefix.
        if mount := os.environ.pop("SCRIPT_NAME", ""):
            from web.prefix import Mounted  # noqa: PLC0415

            served: Any = self.wsgi
            self.wsgi: Any = Mounted(served, mount)
        super().run()
        self._wait_for_gateway()

    def _wait_for_gateway(self) -> None:
        """Stay until the gateway has closed its sockets: no request of gunicorn's holds them any more."""
        import gevent  # noqa: PLC0415

        until = time.monotonic() + self.cfg.graceful_timeout
        while self.gateway and not self.gateway.stopped and time.monotonic() < until:
            self.notify()
            gevent.sleep(WATCH_INTERVAL)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request; a WebSocket sets its own timeouts."""
        reader = req.body.reader
        req.body.reader = DeadlineReader(reader, self._request_timeout)
        sock.settimeout(self._request_timeout)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # which gunicorn would write into the log, with its traceback
            raise ConnectionResetError(errno.ECONNRESET, "the answer was not read in time") from None
        finally:
            sock.settimeout(None)
            req.body.reader = reader  # the rest of the body has as much time as a head


def on_starting(server: Any) -> None:
    """Run the start-up checks before the first request, and share metrics among several workers.

    Exits with the checks' status when one of them fails.
    """
    settings = Settings.load()
    if server.cfg.is_ssl:
        sys.stderr.write(NO_TLS)
        sys.exit(2)
    _check_addresses(server)
    raise_handles(settings)
    # In a separate process: psycopg looks for gevent at import, and gevent has not patched anything here yet.
    checked = subprocess.run([sys.executable, "-m", "usecases.preflight"], check=False)
    if checked.returncode:
        sys.exit(checked.returncode)
    definitions.hold(settings)  # has just been checked
    if server.cfg.workers > 1:
        try:
            multiprocess.share(settings.var_dir / "metrics" / f"web-{settings.port}")
        except OSError as exc:
            sys.exit(f"NOTIFIER_VAR_DIR: no place for the metrics: {exc}")


def on_reload(server: Any) -> None:
    """Read the definitions again for the new workers; a wrong file is one line and changes nothing."""
    try:
        definitions.hold(Settings.load())
    except SettingError as exc:
        server.log.error("the definitions are not changed: %s", exc)


def _check_addresses(server: Any) -> None:
    """Exit with status 2 when an address cannot be bound; gunicorn would try it for five seconds.

    Not when the sockets are inherited: from systemd, or from the gunicorn that this one replaces.
    """
    if server.master_pid or systemd.listen_fds(unset_environment=False):
        return
    for address in server.address:
        if not isinstance(address, tuple):  # a path, or a descriptor
            continue
        try:
            listen_address.check(*address[:2])
        except SettingError as exc:
            sys.stderr.write(f"{exc}\n")
            sys.exit(2)


def child_exit(_server: Any, worker: Any) -> None:
    """Keep the counts of an ended worker; its open sockets count as closed."""
    if multiprocess.shared():
        from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def post_worker_init(worker: Any) -> None:
    """Start the gateway, and stop it when the worker is told to stop."""
    # What exists now stays: a garbage collection need not check it.
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(*GC_THRESHOLD)
    import gevent  # noqa: PLC0415

    from web.runtime import EXTENSION  # noqa: PLC0415

    configure(Settings.load())
    runtime = worker.wsgi.extensions[EXTENSION]
    gateway = worker.gateway = runtime.gateway
    gateway.start()
    runtime.waker.warm()
    ready.tell()

    def watch() -> None:
        while worker.alive:
            gevent.sleep(WATCH_INTERVAL)
        gateway.stop()

    gevent.spawn(watch)
