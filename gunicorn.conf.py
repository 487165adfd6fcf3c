"""gunicorn's configuration: `gunicorn` in the repository's root starts the web process.

gevent, because a thread for each of thousands of sockets does not fit (docs/adr/0003).
"""

import errno
import gc
import subprocess
import sys
import time

from gevent.server import StreamServer
from gunicorn import glogging
from gunicorn.workers.ggevent import GeventWorker

from notifier import handles, multiprocess
from notifier.errors import SettingError
from notifier.logs import configure
from notifier.settings import Settings

try:
    _settings = Settings.load()
    _settings.signing_secret()
    _settings.backend_keys()
except SettingError as exc:
    sys.exit(str(exc))

wsgi_app = "web:create_app()"
bind = f"{_settings.host}:{_settings.port}"
workers = _settings.web_processes
worker_connections = _settings.worker_connections
loglevel = _settings.log_level.lower()
backlog = 2048
# Nobody's word of scheme or path is taken here: NOTIFIER_PROXY_HOPS says whose is, and `web.app` takes it.
forwarded_allow_ips = ""
# Seconds between two requests of a connection; gunicorn gives a request's head as long to come.
keepalive = 5
# A worker that has not answered the master for so long is stuck.
timeout = 60
# Its sockets are closed within restart_grace; then what is left of requests may finish.
graceful_timeout = int(_settings.restart_grace) + 5
proc_name = "notifier-web"
# Nobody talks to it, two of them would share one path in $HOME, and a read-only image has none.
control_socket_disable = True


class Logger(glogging.Logger):
    """Lets gunicorn's own lines look like all the others, unless a file was named for them."""

    def setup(self, cfg):  # type: ignore[no-untyped-def]
        """Send them to our log."""
        super().setup(cfg)
        configure(_settings)
        if cfg.errorlog == "-":
            self.error_log.handlers.clear()
            self.error_log.propagate = True


logger_class = Logger


#: Collections of the oldest generation look through every object of every socket while all of them wait:
#: 150 ms with 3,000 sockets. What a socket leaves behind is freed without them, so they may be rare.
COLLECT = (700, 10, 200)
#: A handshake takes about 1 ms, and nobody else is served meanwhile.
ACCEPT_AT_ONCE = 8


class InTime:
    """A request body that has to come within `request_timeout`, or the request is answered with 408."""

    def __init__(self, reader):  # type: ignore[no-untyped-def]
        self._reader = reader
        self._until = time.monotonic() + _settings.request_timeout

    def read(self, size):  # type: ignore[no-untyped-def]
        """Read as gunicorn's own does. Raises RequestTimeout."""
        import gevent
        from werkzeug.exceptions import RequestTimeout

        late = RequestTimeout("The request's body did not come in time.")
        try:
            with gevent.Timeout(max(0.001, self._until - time.monotonic()), late):
                return self._reader.read(size)
        except TimeoutError:  # the socket's own, just before
            raise late from None


class Worker(GeventWorker):
    """Bounds what a slow client could hold for ever: the reading of a body, the taking of an answer.

    And lets a crowd of new connections not hold up those that are there.
    """

    def run(self):  # type: ignore[no-untyped-def]
        """Serve, and look around between a few new connections, where gevent would take a hundred first."""
        StreamServer.max_accept = ACCEPT_AT_ONCE
        super().run()

    def handle_request(self, listener_name, req, sock, addr):  # type: ignore[no-untyped-def]
        """Serve a request; a WebSocket sets timeouts of its own."""
        reader = req.body.reader
        req.body.reader = InTime(reader)
        sock.settimeout(_settings.request_timeout)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # which gunicorn would write into the log, with its trace
            raise ConnectionResetError(errno.ECONNRESET, "the answer was not taken in time") from None
        finally:
            sock.settimeout(None)
            req.body.reader = reader  # what is left of it has the time of a head to come


worker_class = Worker


def on_starting(server):  # type: ignore[no-untyped-def]
    """Look whether all is in place, before the first request.

    And let several workers count together, so that a scrape that reaches one of them shows all.
    """
    handles.raise_handles(_settings)
    # In a process of its own: psycopg looks for gevent when it is imported, and here it is not there yet.
    if looked := subprocess.run([sys.executable, "-m", "notifier.preflight"], check=False).returncode:
        sys.exit(looked)
    if server.cfg.workers > 1:
        try:
            multiprocess.share(_settings.var_dir / "metrics" / f"web-{_settings.port}")
        except OSError as exc:
            sys.exit(f"NOTIFIER_VAR_DIR: no place for the metrics: {exc}")


def child_exit(_server, worker):  # type: ignore[no-untyped-def]
    """What a worker that is gone has counted stays; the sockets that it had open are gone with it."""
    if multiprocess.shared():
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)


def post_worker_init(worker):  # type: ignore[no-untyped-def]
    """Start the gateway, and stop it when the worker is told to stop."""
    # What is here now stays: a collection need not look through it, while all sockets wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    import gevent

    from web.runtime import EXTENSION

    configure(_settings)
    runtime = worker.wsgi.extensions[EXTENSION]
    gateway = runtime.gateway
    gateway.start()
    runtime.ringer.warm()

    def watch() -> None:
        while worker.alive:
            gevent.sleep(0.1)
        gateway.stop()

    gevent.spawn(watch)
