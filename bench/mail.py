"""Measure how many mails a second one process hands to a local server, and whether its memory grows.

python -m bench.mail

With a database's URL and a number of mails it is the measured process, and prints its figures as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import sqlalchemy as sa

from bench.run import alone
from bench.scenario import Metric, Scenario, Values, at_least
from bench.sides import OURS
from models.tables import addresses, reach
from notifier.core.categories import Category, Reach, replace_categories
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness import postgres
from tests.harness.processes import REPO
from tests.harness.waiting import free_port
from tests.harness.world import World, migrate, settings
from worker.reach import make_loop
from worker.reach_measures import ReachMeasures

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


def send(url: str, how_many: int) -> Values:
    """Fill, and send from this process; return the rate, and the memory after a fifth and at the end."""
    replace_categories({}, {"orders": CATEGORY})
    database = Database(make_engine(url))
    migrate(database.engine)
    fill(database, how_many)
    process = psutil.Process()
    sent = sa.select(sa.func.count()).where(reach.c.state == "sent")
    memory: list[float] = []
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
            memory.append(process.memory_info().rss / 2**20)
        seconds = time.perf_counter() - began
        used = sum(process.cpu_times()[:2]) - cpu
        loop.stop()
    database.dispose()
    return {
        "mails_per_s": round(how_many / seconds, 1),
        "cpu_ms_each": round(used / how_many * 1000, 2),
        "rss_mb_first": round(memory[0], 1),
        "rss_mb_last": round(memory[-1], 1),
    }


def measure(name: str, *, seed: int, mails: int) -> Values:  # noqa: ARG001
    """One round, in a process of its own."""
    with postgres.fresh_database(postgres.shared_url()) as url:
        done = subprocess.run(
            [sys.executable, "-m", "bench.mail", url, str(mails)],
            cwd=REPO, check=True, stdout=subprocess.PIPE, timeout=600,
        )  # fmt: skip
    values: Values = json.loads(done.stdout.splitlines()[-1])
    return values


SCENARIO = Scenario(
    name="mail",
    title="Mails from one process",
    about="6,000 alerts to as many users whose category has mail: a worker for channels renders each, and "
    "hands it to a mail server on the same machine. Memory: the worker's RSS after a fifth, and at the end.",
    sides=(OURS,),
    full={"mails": 6_000},
    pilot={"mails": 300},
    metrics=(
        Metric("mails_per_s", "mails", "/s", less=False, goal=at_least(200, "/s")),
        Metric("cpu_ms_each", "processor time of each", "ms"),
        Metric("rss_mb_first", "memory after a fifth", "MB"),
        Metric("rss_mb_last", "memory at the end", "MB"),
    ),
    measure=measure,
)


if __name__ == "__main__":
    if len(sys.argv) == 3 and "://" in sys.argv[1]:
        print(json.dumps(send(sys.argv[1], int(sys.argv[2]))))
    else:
        alone(SCENARIO)
