"""A running site for its callers: a backend, its processes, HTTP and sockets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from tests.harness import processes
from tests.harness.backend_api import BackendApi, UserApi
from tests.harness.backends import Backend
from tests.harness.plain_socket import Socket
from tests.harness.processes import Process
from tests.harness.waiting import until

_numbers = itertools.count(1)


class Site:
    """A web address on a backend. `api` is a backend caller; users get tokens."""

    def __init__(self, backend: Backend, logs: Path) -> None:
        self.backend = backend
        self.logs = logs
        self.processes: list[Process] = []
        self._api: BackendApi | None = None

    @property
    def api(self) -> BackendApi:
        if self._api is None:
            self._api = BackendApi(self.backend.base_url, self.backend.api_key)
        return self._api

    def start(self, *arguments: str, **more: str) -> Process:
        """Start a `notifier` command on this backend, with `more` variables, without waiting."""
        log = self.logs / f"{arguments[0]}-{self.backend.port}.log"
        process = processes.notifier(*arguments, env=self.backend.env | more, log=log).start()
        self.processes.append(process)
        return process

    def up(self) -> Site:
        """Start `notifier up`, and wait until it is ready."""
        self.start("up").wait_ready(self.backend.base_url)
        return self

    def user(self, user_id: str) -> UserApi:
        """Return the HTTP API of this user."""
        return UserApi(self.backend.base_url, self.backend.token(user_id))

    def socket(self, user_id: str, after: int | None = None, device: str | None = None) -> Socket:
        """Open a live socket of this user; everything before `live` is read."""
        socket = self.open()
        socket.enter(self.backend.token(user_id), after, device=device)
        return socket

    def open(self) -> Socket:
        """Open a socket that has sent nothing yet."""
        return Socket(self.backend.ws_url)

    def send(self, user_id: str, title: str = "Order Shipped") -> str:
        """Send an alert; return its id."""
        answer = self.api.send(user_id, {"title": title, "message": "m", "type": "info"})
        assert answer.status == 202, answer
        identity: str = answer.json["id"]
        return identity

    def arrived(self, user_id: str, seq: int, seconds: float = 15) -> None:
        """Wait until the user's log has `seq` entries."""
        with self.user(user_id) as user:
            until(lambda: user.inbox(limit=1).json["seq"] >= seq, seconds, f"seq {seq} of {user_id!r}")

    def rows(self, table: str) -> int:
        """Return the number of rows of a table, to check what must not be stored."""
        engine = sa.create_engine(self.backend.database_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return connection.scalar(sa.text(f"SELECT count(*) FROM notifier_{table}")) or 0

    def close(self) -> None:
        """Stop the processes gracefully, the last one first."""
        if self._api is not None:
            self._api.close()
        for process in reversed(self.processes):
            if process.alive:
                process.terminate()
        self.processes.clear()


def new_user(prefix: str = "user") -> str:
    """Return a new user id."""
    return f"{prefix}-{next(_numbers)}"


@contextmanager
def running_site(backend: Backend, logs: Path) -> Iterator[Site]:
    """Run `notifier up` on a backend until the end of the block."""
    site = Site(backend, logs)
    try:
        yield site.up()
    finally:
        site.close()
