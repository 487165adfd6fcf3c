"""What the load generator knows about a side: its address and its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.load.dialects import Dialect


@dataclass(frozen=True)
class Command:
    """The command line of a side's sender or publisher."""

    words: Sequence[str]
    env: dict[str, str] = field(repr=False)
    cwd: str


@dataclass(frozen=True)
class Target:
    """A running side.

    Attributes:
        name: what the side is called.
        port: where HTTP and WebSocket are served, on 127.0.0.1.
        dialect: the protocol of its sockets.
        headers: of each POST.
        gateway: the gateway's main processes; their children belong to them.
        broker: the broker's main process, when it is this side's own.
        database_url: its database, for psycopg.
        persisted: a query for the number of stored deliveries.
        sender: sends with the API of its language; its arguments are the count and the number of users.
        publisher: publishes to its gateway's broker; its arguments are the count, the rate and the users.
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
    """Return the name of a user; senders and publishers of every language use the same."""
    return f"user-{number}"
