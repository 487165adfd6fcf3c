"""A mail server that hangs: alerts that become mails too, with a server that answers, then with a frozen one.

Measured: how long sockets wait for an alert. The server is stopped (SIGSTOP) for the whole second half.

python -m bench.hang
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from bench.ours import running
from bench.run import alone
from bench.samples import milliseconds
from bench.scenario import Metric, Scenario, Values, at_most
from bench.sides import OURS
from bench.stage import Steady, crowd, leave
from models.tables import addresses
from notifier.outbox.engine import Database, make_engine
from tests.harness.client import LedgerClient
from tests.harness.site import Site
from tests.harness.waiting import free_port

USERS = 50
DEFINITIONS = {"categories": {"general": {"title": "General", "reach": {"email": {}}}}}


async def play(site: Site, server: subprocess.Popen[bytes], *, seconds: float, rate: float) -> Values:
    """Measure with a server that answers, then with one that hangs."""
    users = [f"user-{number}" for number in range(USERS)]
    database = Database(make_engine(site.backend.database_url))
    with database.write() as connection:
        for user in users:
            connection.execute(
                sa.insert(addresses).values(
                    user_id=user, channel="email", address=f"{user}@example.org", created_at=datetime.now(UTC)
                )
            )
    steady = Steady(site, users)
    waits: list[float] = []

    def heard(_client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        if frame["op"] == "event":
            waits.append(at - steady.began[frame["data"]["title"]])

    clients = [
        LedgerClient(site.backend.ws_url, user, site.backend.token(user), device="d", heard=heard)
        for user in users
    ]
    tasks = await crowd(clients)
    values: Values = {}
    for name in ("answers", "hangs"):
        if name == "hangs":
            server.send_signal(signal.SIGSTOP)
        waits.clear()
        await steady.run(int(seconds * rate), rate)
        for client in clients:
            await client.wait_seq(steady.sent[client.user_id], 30)
        values |= milliseconds(name, waits)
    server.send_signal(signal.SIGCONT)
    values["p99_ratio"] = round(values["hangs_p99_ms"] / values["answers_p99_ms"], 2)
    with database.read() as connection:
        found = connection.execute(sa.text("SELECT state, count(*) FROM notifier_reach GROUP BY state")).all()
    values |= {f"rows_{state}": count for state, count in found}
    await leave(clients, tasks)
    steady.close()
    database.dispose()
    return values


def measure(name: str, *, seed: int, seconds: float, rate: float) -> Values:  # noqa: ARG001
    """One round."""
    port = free_port()
    command = [sys.executable, "-m", "bench.load.mail_sink", str(port)]
    with TemporaryDirectory() as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        definitions = Path(folder) / "definitions.json"
        definitions.write_text(json.dumps(DEFINITIONS))
        try:
            with running(
                NOTIFIER_DEFINITIONS=str(definitions),
                NOTIFIER_SMTP_URL=f"smtp://127.0.0.1:{port}",
                NOTIFIER_MAIL_FROM="no-reply@shop.example",
                NOTIFIER_PUBLIC_URL="https://shop.example",
            ) as site:
                return asyncio.run(play(site, server, seconds=seconds, rate=rate))
        finally:
            server.kill()


SCENARIO = Scenario(
    name="hang",
    title="A mail server that hangs",
    about="50 alerts a second to 50 connected users, each of which becomes a mail too; for 60 s with a mail "
    "server that answers, then for 60 s with one that has stopped in the middle of everything.",
    sides=(OURS,),
    full={"seconds": 60.0, "rate": 50.0},
    pilot={"seconds": 5.0, "rate": 20.0},
    metrics=(
        Metric("p99_ratio", "alerts, p99, hanging : answering", "times", goal=at_most(1.2, "times")),
        Metric("hangs_p99_ms", "alerts while it hangs, p99", "ms"),
        Metric("answers_p99_ms", "alerts while it answers, p99", "ms"),
        Metric("hangs_max_ms", "alerts while it hangs, at most", "ms"),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
