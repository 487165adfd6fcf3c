"""Measure single alerts to others, POST to frame, while a user with a long log is erased, and without that.

python -m bench.erasure
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from bench.latency import load
from bench.load.apart import apart
from bench.ours import running, target_of
from bench.run import alone
from bench.scenario import NOTHING, Metric, Scenario, Values, at_most
from bench.sides import OURS
from notifier.outbox.engine import Database, make_engine
from tests.harness.backends import Backend
from tests.harness.processes import REPO, clean_env

GONE = "long-standing"  # the user who is erased
FILL = (
    """INSERT INTO notifier_notifications (id, event, data, inbox, sender, recipient, recipients, bulk,
        position, reached, request_hash, state, accepted_at, dispatched_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(k), 12, '0'))::uuid, 'alert',
        jsonb_build_object('title', 't', 'message', 'm', 'type', 'info'), true, 'api', :gone, 1, false,
        1, 1, 'x', 'dispatched', now() - interval '3 days', now() - interval '3 days'
    FROM generate_series(1, :entries) AS n(k)""",
    """INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at,
        delivered_at)
    SELECT :gone, number, id, true, number, accepted_at, accepted_at FROM notifier_notifications""",
    "INSERT INTO notifier_inboxes (user_id, seq, unread) VALUES (:gone, :entries, :entries)",
)


def fill(url: str, entries: int) -> None:
    """Give the user so many entries, three days old."""
    database = Database(make_engine(url))
    with database.write() as connection:
        for statement in FILL:
            connection.execute(sa.text(statement), {"gone": GONE, "entries": entries})
        connection.execute(sa.text("ANALYZE"))
    database.dispose()


@contextmanager
def erasing(backend: Backend) -> Iterator[None]:
    """Erase the user, at least until the end of the block."""
    with tempfile.TemporaryFile() as said:
        erasure = subprocess.Popen(
            [sys.executable, "-m", "cli", "recipient", "erase", GONE],
            cwd=REPO, env=clean_env(backend.env), stdout=said, stderr=said,
        )  # fmt: skip
        try:
            time.sleep(2)  # it imports and starts
            yield
            assert erasure.poll() is None, "the erasure ended too early: fill in more"
        finally:
            erasure.terminate()
            erasure.wait(30)


def measure(name: str, *, seed: int, entries: int, rate: float, count: int, users: int) -> Values:  # noqa: ARG001
    """Fill in a long log, then apply the same load twice."""
    sizes = {"rate": rate, "count": count, "users": users}
    with running("production", crowd=users) as site:
        fill(site.backend.database_url, entries)
        target = target_of(OURS, site)
        quiet = apart(load, target, **sizes)
        with erasing(site.backend):
            beside = apart(load, target, **sizes, first=users)
    values: Values = {f"{key}_quiet": quiet[key] for key in ("frame_p50_ms", "frame_p99_ms")}
    values |= {f"{key}_beside": beside[key] for key in ("frame_p50_ms", "frame_p99_ms", "frame_max_ms")}
    values["p99_ratio"] = round(beside["frame_p99_ms"] / quiet["frame_p99_ms"], 2)
    values["lost"] = quiet["lost"] + beside["lost"]
    return values


SCENARIO = Scenario(
    name="erasure",
    title="Alerts beside an erasure",
    about="Alerts at 50/s to 300 connected users; first alone, then while `notifier recipient erase` takes "
    "another user's 200,000 entries away.",
    sides=(OURS,),
    full={"entries": 200_000, "rate": 50.0, "count": 1_000, "users": 300},
    pilot={"entries": 60_000, "rate": 50.0, "count": 200, "users": 50},
    metrics=(
        Metric("p99_ratio", "POST → frame, p99, with : without", "times", goal=at_most(1.5, "times")),
        Metric("frame_p99_ms_quiet", "p99 without an erasure", "ms"),
        Metric("frame_p99_ms_beside", "p99 beside one", "ms"),
        Metric("frame_p50_ms_quiet", "p50 without", "ms"),
        Metric("frame_p50_ms_beside", "p50 beside one", "ms"),
        Metric("frame_max_ms_beside", "at most beside one", "ms"),
        Metric("lost", "lost", "", goal=NOTHING),
    ),
    measure=measure,
)


if __name__ == "__main__":
    alone(SCENARIO)
