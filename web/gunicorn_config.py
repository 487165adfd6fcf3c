"""gunicorn's configuration: `notifier web` names it, and `gunicorn.conf.py` in the repository's root.

gevent, because a thread for each of thousands of sockets does not fit (docs/adr/0003). The classes and
the functions that gunicorn calls are in `web/server.py`.
"""

import sys

from notifier.core.errors import SettingError
from notifier.settings import Settings
from web import server

try:
    _settings = Settings.load()
    _settings.signing_secret()
    _settings.backend_keys()
except SettingError as exc:
    sys.stderr.write(f"{exc}\n")
    sys.exit(2)

wsgi_app = "web.app:create_app()"
bind = _settings.address
workers = _settings.web_processes
worker_connections = _settings.worker_connections
loglevel = _settings.log_level.lower()
backlog = 2048
# Ignore forwarded headers; ProxyFix applies them per NOTIFIER_PROXY_HOPS (`web/app.py`).
forwarded_allow_ips = ""
# Seconds between two requests of a connection; gunicorn waits as long for a request's head.
keepalive = 5
# A worker that has not answered the master for this time is stuck.
timeout = 60
# Its sockets are closed within restart_grace; then remaining requests may finish.
graceful_timeout = int(_settings.restart_grace) + 5
proc_name = "notifier-web"
# Not used; two of them would share one path in $HOME, and a read-only image has none.
control_socket_disable = True

logger_class = server.Logger
worker_class = server.Worker
on_starting = server.on_starting
on_reload = server.on_reload
child_exit = server.child_exit
post_worker_init = server.post_worker_init
