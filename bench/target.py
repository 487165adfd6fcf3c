"""What the load generator knows of a side: where it is, and how to speak to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.load.dialects import Dialect


@dataclass(frozen=True)
class Command:
    """A program of a side, as a caller would start it: a sender or a publisher."""

    words: Sequence[str]
    env: dict[str, str] = field(repr=False)
    cwd: str


@dataclass(frozen=True)
class Target:
    """A running side.

    Attributes:
        name: what the side is called.
        port: where HTTP and WebSocket are served, on 127.0.0.1.
        dialect: what its sockets say.
        headers: of each POST.
        gateway: the gateway's main processes; their children belong to them.
        broker: the broker's main process, when it is this side's own.
        database_url: where its rows are, for psycopg.
        persisted: a query for the number of stored deliveries.
        sender: sends from its own language's API: appended are the count and the number of users.
        publisher: publishes to its gateway's broker: appended are the count, the rate and the users.
    """

    name: str
    port: int
    dialect: Dialect
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    gateway: Sequence[int] = ()
    broker: int | None = None
    database_url: str | None = None
    persisted: str = ""
    sender: Command | None = None
    publisher: Command | None = None


def user(number: int) -> str:
    """The name of a user; senders and publishers of every language agree on it."""
    return f"user-{number}"
