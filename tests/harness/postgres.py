"""PostgreSQL: a private server for the crash tests, and new databases on the shared one."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg.conninfo
from sqlalchemy.engine import URL, make_url

from tests.harness.services import PrivateService, find_binary, missing
from tests.harness.waiting import until

PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
DEFAULT_URL = "postgresql+psycopg://127.0.0.1:5432/postgres"


class PrivatePostgres(PrivateService):
    """A private cluster: initdb into its folder, trust on loopback.

    `fsync` is off: killing a process does not lose what the kernel has, and no test stops the machine.
    `synchronous_commit` stays on: a commit is in the kernel before its answer.
    """

    name = "postgres"
    user = "postgres"

    def __init__(self, disk: str | None = None) -> None:
        server = find_binary("postgres", *PLACES)
        if server is None:
            raise missing("PostgreSQL's server program is not installed")
        super().__init__(disk)
        if os.geteuid() == 0 and self.run_as is None:
            raise missing("PostgreSQL refuses to run as root and there is no user 'postgres'")
        self._bin = server.parent
        self._data = self.folder / "data"
        self.fill()

    def fill(self) -> None:
        """Create its data."""
        self.run_tool(
            str(self._bin / "initdb"), "-D", str(self._data), "-U", "live", "-A", "trust", "-E", "UTF8",
            "--no-sync", "--locale=C.UTF-8",
        )  # fmt: skip

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "synchronous_commit": "on",
            "max_connections": 200,
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "max_wal_size": "128MB",
        }
        words = [str(self._bin / "postgres"), "-D", str(self._data)]
        return words + [f"--{name}={value}" for name, value in settings.items()]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}

    def ask_to_stop(self, popen: subprocess.Popen[bytes]) -> None:
        # SIGINT is the "fast" shutdown: it does not wait for clients to leave, as SIGTERM does.
        popen.send_signal(signal.SIGINT)

    def answers(self) -> bool:
        try:
            execute(self.admin_url, "SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def admin_url(self) -> str:
        return self.url("postgres")

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database on this server."""
        return f"postgresql+psycopg://live@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database; return its URL."""
        execute(self.admin_url, f'CREATE DATABASE "{name}"')
        return self.url(name)


class PrivateReplica(PrivatePostgres):
    """A hot standby of a running private server: it replicates, and can only be read."""

    name = "replica"

    def __init__(self, primary: PrivatePostgres) -> None:
        self._primary = primary
        super().__init__()

    def fill(self) -> None:
        self.run_tool(
            str(self._bin / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "live",
            "-D", str(self._data), "--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast",
            "--no-sync",
        )  # fmt: skip

    def catch_up(self) -> None:
        """Wait until it has replayed everything that the primary has written."""
        ((written,),) = execute(self._primary.admin_url, "SELECT pg_current_wal_lsn()::text")
        question = f"SELECT 1 WHERE pg_last_wal_replay_lsn() >= '{written}'::pg_lsn"
        until(lambda: execute(self.admin_url, question), 30, "the replica has replayed all")

    def lose_the_primary(self) -> None:
        """Stop replicating: what the primary commits from now on is only there."""
        execute(self.admin_url, "ALTER SYSTEM SET primary_conninfo = ''")
        execute(self.admin_url, "SELECT pg_reload_conf()")
        question = "SELECT 1 FROM pg_stat_wal_receiver"
        until(lambda: not execute(self.admin_url, question), 30, "the replica receives nothing")

    def promote(self) -> None:
        """Become the primary; return when it accepts writes."""
        assert execute(self.admin_url, "SELECT pg_promote()") == [(True,)]


def shared_url() -> str:
    """Return the URL of the machine's PostgreSQL (env ``NOTIFIER_TEST_POSTGRES``), as the current user."""
    url = make_url(os.environ.get("NOTIFIER_TEST_POSTGRES", DEFAULT_URL))
    if url.username is None:
        url = url.set(username=getpass.getuser())
    address = url.render_as_string(hide_password=False)
    try:
        execute(address, "SELECT 1")
    except psycopg.OperationalError as error:
        shown = url.render_as_string()
        raise missing(f"PostgreSQL is not reachable at {shown}: {str(error).splitlines()[0]}") from None
    return address


@contextmanager
def fresh_database(server_url: str, template: str | None = None) -> Iterator[str]:
    """Yield a new database on the shared server, a copy of `template` when given; drop it at the end."""
    name = f"live_test_{uuid.uuid4().hex[:16]}"
    execute(server_url, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def database_name(url: str) -> str:
    """Return the database name of a URL."""
    return make_url(url).database or ""


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement on its own connection, outside a transaction; return its rows, if any."""
    with psycopg.connect(_conninfo(make_url(url)), autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _conninfo(url: URL) -> str:
    parts = {"host": url.host, "port": url.port, "dbname": url.database, "user": url.username}
    if url.password:
        parts["password"] = str(url.password)
    return psycopg.conninfo.make_conninfo("", **{k: v for k, v in parts.items() if v is not None})
