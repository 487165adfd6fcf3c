"""The gateways alone: sockets, and a way to publish to a user."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.load.dialects import Plain, SocketIO
from bench.peers import install
from bench.peers.install import Missing
from bench.peers.running import Family, folder, redis
from bench.target import Command, Target
from tests.harness.processes import BIN, REPO
from tests.harness.waiting import free_port

NCHAN_MODULES = ("/usr/lib/nginx/modules/ngx_nchan_module.so", "/usr/lib64/nginx/modules/ngx_nchan_module.so")


@contextmanager
def socketio() -> Iterator[Target]:
    """Socket.IO with its Redis adapter."""
    cwd = install.node("socketio")
    with ExitStack() as stack:
        place, port = stack.enter_context(folder()), free_port()
        env = {"REDIS_URL": stack.enter_context(redis(place)), "PORT": str(port), "NODE_ENV": "production"}
        family = Family(place, cwd, env)
        stack.callback(family.stop)
        gateway = family.start("socketio", ["node", "server.js"], port=port)
        publisher = Command(["node", "publish.js"], env, str(cwd))
        yield Target("socketio", port, SocketIO(), gateway=(gateway,), publisher=publisher)


@contextmanager
def python_socketio() -> Iterator[Target]:
    """python-socketio on asyncio under uvicorn, with the Redis manager."""
    programs = install.python("python_socketio")
    cwd = install.FOLDER / "python_socketio"
    with ExitStack() as stack:
        place, port = stack.enter_context(folder()), free_port()
        env = {"REDIS_URL": stack.enter_context(redis(place))}
        family = Family(place, cwd, env)
        stack.callback(family.stop)
        words = [str(programs / "uvicorn"), "app:app", "--port", str(port), "--log-level", "warning"]
        gateway = family.start("python-socketio", words, port=port)
        publisher = Command([str(programs / "python"), "publish.py"], env, str(cwd))
        yield Target("python-socketio", port, SocketIO(), gateway=(gateway,), publisher=publisher)


@contextmanager
def websockets() -> Iterator[Target]:
    """The `websockets` library, and Redis."""
    programs = install.python("websockets")
    cwd = install.FOLDER / "websockets"
    with ExitStack() as stack:
        place, port = stack.enter_context(folder()), free_port()
        env = {"REDIS_URL": stack.enter_context(redis(place)), "PORT": str(port)}
        family = Family(place, cwd, env)
        stack.callback(family.stop)
        gateway = family.start("websockets", [str(programs / "python"), "server.py"], port=port)
        publisher = Command([str(programs / "python"), "publish.py"], env, str(cwd))
        yield Target("websockets", port, Plain("/", greets=True), gateway=(gateway,), publisher=publisher)


@contextmanager
def nchan() -> Iterator[Target]:
    """Debian's nginx with Nchan."""
    nginx = install.program("nginx", "nginx libnginx-mod-nchan")
    module = next((path for path in NCHAN_MODULES if Path(path).exists()), None)
    if module is None:
        raise Missing("nginx has no Nchan (Debian: apt-get install libnginx-mod-nchan)")
    with ExitStack() as stack:
        place, port = stack.enter_context(folder()), free_port()
        filled = {"MODULE": module, "FOLDER": str(place), "PORT": str(port), "HANDLES": _handles()}
        conf = (install.FOLDER / "nchan" / "nginx.conf.in").read_text()
        for name, value in filled.items():
            conf = conf.replace(f"@{name}@", value)
        (place / "nginx.conf").write_text(conf)
        family = Family(place, place, {})
        stack.callback(family.stop)
        gateway = family.start("nginx", [nginx, "-c", str(place / "nginx.conf")], port=port)
        publisher = Command([sys.executable, "-m", "bench.publish", "nchan", str(port)], {}, str(REPO))
        dialect = Plain("/sub?id={user}")
        yield Target("nchan", port, dialect, gateway=(gateway,), publisher=publisher)


@contextmanager
def flask_sock() -> Iterator[Target]:
    """A plain Flask-Sock handler under gunicorn's gevent worker."""
    with ExitStack() as stack:
        place, port = stack.enter_context(folder()), free_port()
        family = Family(place, install.FOLDER / "flask_sock", {})
        stack.callback(family.stop)
        gateway = family.start(
            "flask-sock",
            [str(BIN / "gunicorn"), "-k", "gevent", "-w", "1", "--worker-connections", "20000",
             "-b", f"127.0.0.1:{port}", "app:app"],
            port=port,
        )  # fmt: skip
        yield Target("flask-sock", port, Plain("/ws", greets=True), gateway=(gateway,))


def _handles() -> str:
    return str(min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65_536) - (os.cpu_count() or 1))
