"""What each pipeline loses when its worker or its Redis is killed under load.

python -m bench.peers.kills [--side NAME …] [--count 600] [--rounds 3]

Calls are sent at a steady rate to connected users; in the middle of it the part is killed (SIGKILL, with
everything that it started) and started again a second later. Then the rows and the frames are counted
against the calls that were answered with 202. Nothing here asserts anything; the table is for
bench/peers/promises.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bench import sides
from bench.load.http import Poster, alert
from bench.load.sockets import Crowd
from bench.peers.install import Missing
from bench.target import Target, user
from tests.harness import process_tree

USERS = 20
RATE = 150.0  # calls a second
AWAY = 1.0  # seconds
PATIENCE = 75.0  # seconds: BullMQ takes up to 60 to find a job whose worker died
# A word of the command line of each part; every pipeline's worker has one of the first.
PARTS = {"worker": ("worker.js", "celery"), "redis": ("redis-server",)}


@dataclass
class Part:
    """A part of a running side, found by its command line."""

    process: psutil.Process

    @classmethod
    def find(cls, name: str) -> Part:
        """Return the oldest process below this one whose command line has the part's word."""
        below = sorted(psutil.Process().children(recursive=True), key=lambda child: child.create_time())
        for child in below:
            if any(word in argument for argument in child.cmdline()[:5] for word in PARTS[name]):
                return cls(child)
        raise Missing(f"no {name} to kill")

    def kill_and_restart(self) -> subprocess.Popen[bytes]:
        """Kill the part, and start the same command again."""
        words, cwd, env = self._words(), self.process.cwd(), self.process.environ()
        process_tree.kill_tree(self.process.pid)
        time.sleep(AWAY)
        return subprocess.Popen(
            words, cwd=cwd, env=env, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _words(self) -> list[str]:
        """Return the command line; Redis replaces its own with a title, so that is written again."""
        words = self.process.cmdline()
        if "redis-server" not in words[0]:
            return words
        keeps = (Path(self.process.cwd()) / "appendonlydir").exists()
        port = words[0].rsplit(":", 1)[1].split()[0]
        return [
            words[0].split()[0], "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
            "yes" if keeps else "no", "--maxmemory-policy", "noeviction",
        ]  # fmt: skip


async def load(target: Target, part: str, count: int) -> dict[str, Any]:
    """Send, kill the part in the middle, wait, and count."""
    crowd = Crowd(target, [user(number) for number in range(USERS)])
    await crowd.enter()
    poster = Poster(target)
    accepted, refused = set[bytes](), 0
    restarted: list[subprocess.Popen[bytes]] = []

    async def one(number: int) -> None:
        nonlocal refused
        try:
            status = await asyncio.wait_for(
                poster.post("/api/notifications", alert(user(number % USERS), f"n{number}")), 30
            )
        except (OSError, TimeoutError):
            status = 0
        if status == 202:
            accepted.add(f"n{number}".encode())
        else:
            refused += 1

    async def kill() -> None:
        await asyncio.sleep(count / RATE / 2)
        restarted.append(await asyncio.to_thread(Part.find(part).kill_and_restart))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(kill())
            for number in range(count):
                group.create_task(one(number))
                await asyncio.sleep(1 / RATE)
        await crowd.have(len(accepted), PATIENCE)
        heard = set(crowd.times())
        return {
            "accepted": len(accepted),
            "refused": refused,
            "rows": _rows(target),
            "frames missing": len(accepted - heard),
            "frames doubled": crowd.doubled,
        }
    finally:
        poster.close()
        await crowd.leave()
        for process in restarted:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def _rows(target: Target) -> int:
    assert target.database_url is not None
    with psycopg.connect(target.database_url) as connection:
        row = connection.execute(target.persisted.encode()).fetchone()
    assert row is not None
    return int(row[0])


def main() -> None:
    """Kill each part of each side, and print what was counted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", action="append", default=[])
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    for name in given.side or (sides.NODE, sides.NODE_DURABLE, sides.FLASK):
        for part in PARTS:
            for _ in range(given.rounds):
                try:
                    with sides.side(name) as target:
                        print(name, part, asyncio.run(load(target, part, given.count)), flush=True)
                except Missing as missing:
                    print(f"{name}: skipped: {missing}")


if __name__ == "__main__":
    main()
