"""Measure how many mails a second one process hands to a local server, and whether its memory grows.

`python -m bench.mail URL [MAILS]` on an empty database. The loop of a worker for channels runs in this
process; the server is another one. Prints the rate, the CPU time of a mail, and the memory after each fifth.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import sqlalchemy as sa

from models.tables import addresses, reach
from notifier.core.categories import Category, Reach, replace_categories
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness.waiting import free_port
from tests.harness.world import World, migrate, settings
from worker.reach import make_loop
from worker.reach_measures import ReachMeasures

MAILS = 6_000
FIFTHS = 5
CATEGORY = Category("orders", "Orders", reach={"email": Reach()})


@contextmanager
def sink() -> Iterator[int]:
    """Run a mail server; yield its port."""
    port = free_port()
    command = [sys.executable, "-m", "bench.load.mail_sink", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield port
        finally:
            process.kill()


def fill(database: Database, how_many: int) -> None:
    """Let so many mails wait, to as many users."""
    world = World(database, now())
    users = [f"user-{number}" for number in range(how_many)]
    with database.write() as connection:
        values = {"channel": "email", "created_at": datetime.now(UTC)}
        rows = [{**values, "user_id": user, "address": f"{user}@example.org"} for user in users]
        connection.execute(sa.insert(addresses), rows)
    for start in range(0, how_many, 100):
        data = {"title": f"Order {start}", "message": "It is on its way.", "type": "info",
                "action": {"label": "Track", "url": "/orders/7"}}  # fmt: skip
        world.accept(*users[start : start + 100], data=data, category="orders")
        world.dispatch()


def main(url: str, how_many: int) -> None:
    """Fill, send, and print."""
    replace_categories({}, {"orders": CATEGORY})
    database = Database(make_engine(url))
    migrate(database.engine)
    fill(database, how_many)
    process = psutil.Process()
    sent = sa.select(sa.func.count()).where(reach.c.state == "sent")
    with sink() as port:
        loop = make_loop(
            database,
            settings(smtp_url=f"smtp://127.0.0.1:{port}", mail_from="Shop <no-reply@shop.example>",
                     public_url="https://shop.example", sweep_interval=10),
            ReachMeasures(),
        )  # fmt: skip
        cpu, began = sum(process.cpu_times()[:2]), time.perf_counter()
        loop.start()
        for fifth in range(1, FIFTHS + 1):
            while True:
                with database.read() as connection:
                    found = connection.scalar(sent) or 0
                if found >= how_many * fifth // FIFTHS:
                    break
                time.sleep(0.1)
            print(f"{found} sent, {process.memory_info().rss / 2**20:.1f} MiB", flush=True)
        seconds = time.perf_counter() - began
        used = sum(process.cpu_times()[:2]) - cpu
        loop.stop()
    print(f"{how_many / seconds:.0f} mails a second, {used / how_many * 1000:.2f} ms of CPU for each")
    database.dispose()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else MAILS)
