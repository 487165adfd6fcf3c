"""RabbitMQ: a private node for the crash tests, and new vhosts on the shared one."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
import urllib.parse
import uuid
from pathlib import Path

import amqp
import psutil

from tests.harness import process_tree
from tests.harness.services import PrivateService, find_binary, missing
from tests.harness.waiting import accepts, free_port, until

DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672//"
# Prefer the real scripts: Debian's wrapper in /usr/sbin switches to the user rabbitmq and its files.
PLACES = ("/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/opt/rabbitmq/sbin", "/opt/homebrew/opt/rabbitmq/sbin")
EPMD_PLACES = ("/usr/lib/erlang/erts-*/bin",)
_PREFIX = "live-test-"


class NameDaemon:
    """A private epmd, by which nodes find other nodes. A cluster's nodes share one."""

    def __init__(self) -> None:
        program = find_binary("epmd", *EPMD_PLACES)
        if program is None:
            raise missing("Erlang's epmd is not installed")
        self._program = program
        self.port = free_port()
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it unless it runs."""
        if self._popen is not None and self._popen.poll() is None:
            return
        self._popen = subprocess.Popen(
            [str(self._program), "-port", str(self.port), "-address", "127.0.0.1"],
            env={process_tree.MARKER: process_tree.RUN_ID}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        until(lambda: accepts(self.port), 10, "epmd accepts")

    def stop(self) -> None:
        """Kill it, whether or not it runs."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait(5)


class PrivateRabbit(PrivateService):
    """A private node with its own name, ports, cookie, data and name daemon.

    It neither sees nor disturbs another node of the machine. Nodes of a cluster share one daemon and one
    cookie.
    """

    name = "rabbitmq"
    start_seconds = 90.0

    def __init__(self, names: NameDaemon | None = None, cookie: str | None = None) -> None:
        server = find_binary("rabbitmq-server", *PLACES)
        if server is None:
            raise missing("RabbitMQ's server program is not installed")
        super().__init__()
        self._server = server
        self._dist_port = free_port()
        self._names = names or NameDaemon()
        self.node = f"live-{uuid.uuid4().hex[:8]}@localhost"
        secret = self.folder / ".erlang.cookie"
        secret.write_text(cookie or secrets.token_hex(16))
        secret.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "env.conf").write_text("")
        self.configure(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", "vm_memory_high_watermark.absolute = 2GB",
            "disk_free_limit.absolute = 50MB", "heartbeat = 10",
        )  # fmt: skip

    def configure(self, *lines: str) -> None:
        """Add lines to its configuration, before it starts."""
        with (self.folder / "rabbitmq.conf").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    @property
    def url(self) -> str:
        """The AMQP URL of its default vhost."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        return [str(self._server)]

    def environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._names.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": "-",
            # Idle scheduler threads of the Erlang VM spin, which slows everything on a small machine.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none +S 2:2",
        }

    def launch(self) -> None:
        self._names.start()
        super().launch()

    def answers(self) -> bool:
        if not accepts(self.port):
            return False
        try:
            with amqp.Connection(f"127.0.0.1:{self.port}", connect_timeout=5, read_timeout=5):
                return True
        except (OSError, amqp.exceptions.AMQPError):
            return False

    def remove(self) -> None:
        self.kill()
        self._names.stop()
        super().remove()


class SharedRabbit:
    """New vhosts on the machine's node, created several at a time.

    One call of rabbitmqctl takes a second, whether it creates one vhost or eight. Each vhost is used
    once; all are deleted at the end, in one call.
    """

    batch = 6

    def __init__(self) -> None:
        self.url = os.environ.get("NOTIFIER_TEST_RABBITMQ", DEFAULT_URL)
        self._where = urllib.parse.urlsplit(self.url)
        tool = shutil.which("rabbitmqctl") or find_binary("rabbitmqctl", *PLACES)
        if tool is None or not accepts(self._where.port or 5672, self._where.hostname or "127.0.0.1"):
            raise missing(f"RabbitMQ is not reachable at {self._where.hostname}:{self._where.port or 5672}")
        self._tool = Path(tool)
        self._prefix = f"{_PREFIX}{os.getpid()}-{uuid.uuid4().hex[:6]}-"
        self._ready: list[str] = []
        self._made = 0

    def fresh_url(self) -> str:
        """Return the URL of an unused vhost."""
        if not self._ready:
            self._make()
        return self._url(self._ready.pop())

    def names(self, url: str) -> list[str]:
        """Return all that is named in the vhost of a URL: queues, exchanges, and each binding with its key."""
        vhost = urllib.parse.unquote(urllib.parse.urlsplit(url).path[1:])
        quiet = ("--no-table-headers", "-q", "-p", vhost)
        found = [
            *self._ctl("list_queues", *quiet, "name", "arguments").splitlines(),
            *self._ctl("list_exchanges", *quiet, "name", "arguments").splitlines(),
        ]
        parts = ("source_name", "destination_name", "routing_key", "arguments")
        return [*found, *self._ctl("list_bindings", *quiet, *parts).splitlines()]

    def close(self) -> None:
        """Delete every vhost of this session, and those that killed sessions have left."""
        dead = {name for name in self._list() if not _maker_lives(name)}
        mine = {f"{self._prefix}{number}" for number in range(self._made)}
        names = ",".join(f"<<{_quoted(name)}>>" for name in sorted(dead | mine))
        if names:
            self._eval(f"[rabbit_vhost:delete(V, <<{_quoted('live')}>>) || V <- [{names}]].")

    def _make(self) -> None:
        names = [f"{self._prefix}{self._made + number}" for number in range(self.batch)]
        user = _quoted(urllib.parse.unquote(self._where.username or "guest"))
        everything = f"<<{_quoted('.*')}>>"
        by = f"<<{_quoted('live')}>>"
        self._eval(
            f"[begin rabbit_vhost:add(V, {by}), rabbit_auth_backend_internal:set_permissions("
            f"<<{user}>>, V, {everything}, {everything}, {everything}, {by}) end"
            f" || V <- [{','.join(f'<<{_quoted(name)}>>' for name in names)}]]."
        )
        self._made += self.batch
        self._ready = names[::-1]

    def _list(self) -> list[str]:
        out = self._ctl("-q", "list_vhosts", "name", "--no-table-headers")
        return [line for line in out.split() if line.startswith(_PREFIX)]

    def _eval(self, erlang: str) -> None:
        out = self._ctl("-q", "eval", erlang)
        assert "error" not in out, out

    def _ctl(self, *words: str) -> str:
        done = subprocess.run(
            [str(self._tool), *words], capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode != 0:
            raise missing(
                f"rabbitmqctl cannot make vhosts here: {(done.stderr or done.stdout).strip()[:200]}"
            )
        return done.stdout

    def _url(self, vhost: str) -> str:
        where = self._where
        return urllib.parse.urlunsplit((where.scheme, where.netloc, f"/{vhost}", "", ""))


def _quoted(text: str) -> str:
    assert re.fullmatch(r"[\w.*@-]+", text), text
    return f'"{text}"'


def _maker_lives(vhost: str) -> bool:
    pid = vhost.removeprefix(_PREFIX).split("-")[0]
    return pid.isdigit() and psutil.pid_exists(int(pid))
