"""200,000 entries of one user are erased in steps, with progress; others' alerts go on meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.store import erase as store
from tests.harness.world import Published, World
from usecases import erase as usecase

ENTRIES = 200_000
FILL = (
    """INSERT INTO notifier_notifications (id, event, data, inbox, sender, recipient, recipients, bulk, position,
        reached, request_hash, state, accepted_at, dispatched_at)
    SELECT {id}, 'alert', '{{"title": "t", "message": "m", "type": "info"}}', true, 'api', 'old', 1, false, 1, 1,
        'x', 'dispatched', :now, :now FROM {numbers}""",
    """INSERT INTO notifier_deliveries (user_id, seq, notification_id, inbox, unread, persisted_at, delivered_at)
    SELECT 'old', number, id, true, number, :now, :now FROM notifier_notifications""",
    "INSERT INTO notifier_inboxes (user_id, seq, unread) VALUES ('old', :entries, :entries)",
)


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.timeout(1200)
def test_two_hundred_thousand_entries_go_in_steps(world: World) -> None:
    postgres = world.database.engine.dialect.name == "postgresql"
    numbers = "generate_series(1, :entries) AS n(k)" if postgres else "n"
    id = "('00000000-0000-7000-8000-' || lpad(to_hex(k), 12, '0'))::uuid" if postgres else (
        "printf('00000000-0000-7000-8000-%012x', k)"
    )  # fmt: skip
    series = "" if postgres else (
        "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < :entries) "
    )  # fmt: skip
    moment = world.now if postgres else world.now.strftime("%Y-%m-%d %H:%M:%S.%f")
    with world.database.write() as connection:
        for number, statement in enumerate(FILL):
            sql = statement.format(id=id, numbers=numbers)
            sql = sql.replace("SELECT", series + "SELECT", 1) if series and not number else sql
            connection.execute(sa.text(sql), {"now": moment, "entries": ENTRIES})
    steps: list[float] = []
    seen: list[int] = []
    others: list[float] = []
    stop = threading.Event()
    last = time.monotonic()

    def progress(counts: Mapping[str, int]) -> None:
        nonlocal last
        steps.append(time.monotonic() - last)
        last = time.monotonic()
        seen.append(counts.get("entries", 0))

    def alerts() -> None:
        while not stop.is_set():
            began = time.monotonic()
            world.arrive("somebody")
            others.append(time.monotonic() - began)
            time.sleep(0.05)

    thread = threading.Thread(target=alerts)
    thread.start()
    began = time.monotonic()
    try:
        done = usecase.erase(world.database, Published(), "old", mail=Path("nowhere"), progress=progress)
    finally:
        stop.set()
        thread.join()
    steps.sort()
    others.sort()
    print(
        f"seconds={time.monotonic() - began:.1f} steps={len(steps)} step_p50={steps[len(steps) // 2]:.3f}"
        f" step_max={steps[-1]:.3f} others={len(others)} p50={others[len(others) // 2]:.3f} max={others[-1]:.3f}"
    )
    assert done.counts["entries"] == ENTRIES
    assert seen == sorted(seen)
    assert len(seen) > ENTRIES / usecase.ROWS / 2
    with world.database.read() as connection:
        assert store.left(connection, "old") == {}
    assert world.violations() == []
