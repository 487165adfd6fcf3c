"""Faults of the database that do not end it: locks, limits, a full disk; each is undone some seconds later."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa

from tests.chaos.stack import Stack
from tests.harness import postgres
from tests.harness.plain_socket import Socket
from tests.harness.postgres import execute

VICTIM = "user-0"
SOCKETS = 30  # of the victim, which mark entries meanwhile
SPARE = 64 * 1024  # bytes that a full disk has left, too few for a table to grow


def _engine(stack: Stack) -> sa.Engine:
    return sa.create_engine(stack.backends[0].database_url, poolclass=sa.NullPool)


async def lock_an_inbox(stack: Stack, rng: random.Random) -> None:
    """Lock one user's inbox in an open transaction for some seconds, while many sockets of that user mark entries."""
    user = f"{stack.run}-{VICTIM}"
    seconds = rng.uniform(3, 8)

    def hold() -> None:
        with _engine(stack).connect() as connection:
            query = "SELECT 1 FROM notifier_inboxes WHERE user_id = :user FOR UPDATE"
            assert connection.execute(sa.text(query), {"user": user}).all(), f"{user} has no inbox"
            time.sleep(seconds)
            connection.rollback()

    over = threading.Event()

    def mark() -> None:
        with ExitStack() as opened:
            sockets = []
            for number in range(SOCKETS):
                backend = stack.backends[number % len(stack.backends)]
                sockets.append(opened.enter_context(Socket(backend.ws_url)))
                sockets[-1].enter(backend.token(user))
            marking.set()
            while not over.wait(0.3):
                for socket in sockets:
                    with contextlib.suppress(OSError):
                        socket.send(op="read", through=1)

    marking = threading.Event()
    marks = asyncio.create_task(asyncio.to_thread(mark))
    try:
        await asyncio.to_thread(marking.wait, 30)
        await asyncio.to_thread(hold)
    finally:
        over.set()
        await marks


async def configure(setting: str, *, lock: bool, stack: Stack, rng: random.Random) -> None:
    """Change a setting of the database for some seconds; `lock`: while a table is locked."""
    name = postgres.database_name(stack.backends[0].database_url)
    admin = stack.services["postgres"].admin_url  # type: ignore[attr-defined]
    reconnect = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND application_name = 'notifier'"
    )

    def alter(what: str) -> None:
        execute(admin, f'ALTER DATABASE "{name}" {what}')
        execute(admin, reconnect)

    def hold(seconds: float) -> None:
        with _engine(stack).connect() as connection:
            connection.execute(sa.text("LOCK TABLE notifier_notifications IN ACCESS EXCLUSIVE MODE"))
            time.sleep(seconds)
            connection.rollback()

    await asyncio.to_thread(alter, f"SET {setting}")
    try:
        await (asyncio.to_thread(hold, rng.uniform(2, 5)) if lock else asyncio.sleep(rng.uniform(2, 5)))
    finally:
        await asyncio.to_thread(alter, "RESET ALL")


async def fill_disk(stack: Stack, rng: random.Random) -> None:
    """Leave no space where the data are for some seconds, twice."""
    server = stack.services.get("postgres")
    ballast = (server.folder if server else stack.backends[0].var_dir) / "ballast"
    for _ in range(2):
        await asyncio.to_thread(fill, ballast)
        try:
            await asyncio.sleep(rng.uniform(3, 6))
        finally:
            ballast.unlink()
        if server and not server.alive:
            await asyncio.to_thread(server.start)  # it ends when it cannot write its log
        await asyncio.sleep(rng.uniform(1, 3))


def fill(ballast: Path) -> None:
    """Write until the disk is full. It is filled up again for a moment, as logs and checkpoints free some."""
    block = b"\0" * SPARE
    with ballast.open("wb", buffering=0) as file:
        for _ in range(20):
            with contextlib.suppress(OSError):
                while True:
                    file.write(block)
            time.sleep(0.05)
        os.fsync(file.fileno())
