"""The two backends for a process: its environment, and its secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import postgres, rabbitmq
from tests.harness.tokens import HOUR, user_token
from tests.harness.waiting import free_port

SECRET = "a-secret-for-tests-only-0123456789abcdef"
API_KEY = "key-for-tests"
KINDS = ("embedded", "production")


@dataclass(frozen=True)
class Backend:
    """A database and a broker.

    `env` holds the settings of a process on it (docs/contract.md, section 2). Embedded: only the folder and the
    port, everything else is the default. `port` is where a web process listens.
    """

    kind: str
    database_url: str
    broker_url: str
    var_dir: Path
    port: int
    env: dict[str, str] = field(repr=False)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    @property
    def secret(self) -> str:
        """The secret that signs tokens; embedded: created at the first start."""
        return self.env.get("NOTIFIER_SECRET") or (self.var_dir / "secret").read_text().strip()

    @property
    def api_key(self) -> str:
        """The first API key; embedded: created at the first start."""
        keys = self.env.get("NOTIFIER_API_KEYS") or (self.var_dir / "api-key").read_text().strip()
        return keys.split(",")[0].rpartition(":")[2]

    def token(self, user_id: str, ttl: float = HOUR) -> str:
        """Return a user's token."""
        return user_token(user_id, self.secret, ttl=ttl)

    def on_port(self, port: int) -> Backend:
        """Return the same database and broker for a second web process."""
        env = {**self.env, "NOTIFIER_PORT": str(port)}
        return Backend(self.kind, self.database_url, self.broker_url, self.var_dir, port, env)


def embedded(var_dir: Path) -> Backend:
    """Return SQLite and the file broker under `var_dir`."""
    port = free_port()
    env = {"NOTIFIER_VAR_DIR": str(var_dir), "NOTIFIER_PORT": str(port)}
    return Backend("embedded", f"sqlite:///{var_dir / 'notifier.db'}", "filesystem://", var_dir, port, env)


def production(database_url: str, broker_url: str, var_dir: Path) -> Backend:
    """Return PostgreSQL and RabbitMQ, by URL."""
    port = free_port()
    env = {
        "NOTIFIER_DATABASE_URL": database_url,
        "NOTIFIER_BROKER_URL": broker_url,
        "NOTIFIER_SECRET": SECRET,
        "NOTIFIER_API_KEYS": API_KEY,
        "NOTIFIER_VAR_DIR": str(var_dir),
        "NOTIFIER_PORT": str(port),
    }
    return Backend("production", database_url, broker_url, var_dir, port, env)


@contextmanager
def open_backend(kind: str, var_dir: Path, rabbit: rabbitmq.SharedRabbit | None = None) -> Iterator[Backend]:
    """Yield a new backend of `kind`; production gets a database and a vhost on the machine's servers."""
    if kind == "embedded":
        yield embedded(var_dir)
        return
    with postgres.fresh_database(postgres.shared_url()) as database_url:
        yield production(database_url, (rabbit or rabbitmq.SharedRabbit()).fresh_url(), var_dir)
