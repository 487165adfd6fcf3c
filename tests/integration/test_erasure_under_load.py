"""Erasures while alerts go out to many: the others' logs, the audit and the sums stay as they must be."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from models.store import dispatch, reports
from models.store import erase as store
from notifier.core.draft import draft
from notifier.core.errors import Unavailable
from notifier.outbox.accept import accept
from notifier.outbox.types import now
from tests.harness.world import Published, World, alert
from usecases import erase as usecase

USERS = [f"reader-{number:02}" for number in range(12)]
GONE = USERS[::3]
ALERTS = 60


@pytest.mark.alone
def test_others_keep_every_alert_while_some_are_erased(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "SETTLE", 0.05)
    monkeypatch.setattr(usecase, "ROWS", 7)
    sent: list[str] = []
    stop = threading.Event()

    def send() -> None:
        for number in range(ALERTS):
            to = USERS if number % 2 else [USERS[number % len(USERS)]]
            what = draft(user_ids=to, event="alert", data=alert(f"alert {number}"))
            world.database.run(lambda c, what=what: accept(c, what, now=now()))
            if number % 2:
                sent.append(what.id)
            time.sleep(0.005)

    def drain() -> None:
        while True:
            over = stop.is_set()
            try:
                done = world.database.run(
                    lambda c: dispatch.dispatch_batch(c, limit=20, now=now(), careful=True)
                )
            except Unavailable:
                continue
            if over and not done.ids:
                return

    threads = [threading.Thread(target=send), threading.Thread(target=drain)]
    for thread in threads:
        thread.start()
    for user in GONE:
        usecase.erase(world.database, Published(), user, mail=Path("nowhere"))
        assert world.violations() == []
    threads[0].join()
    world.dispatch_owed()
    stop.set()
    threads[1].join()
    world.dispatch()
    with world.database.read() as connection:
        before = [(d.day, d.event, d.type, d.sent, d.read) for d in reports.daily(connection)]
    for user in GONE:
        usecase.erase(world.database, Published(), user, mail=Path("nowhere"))
    with world.database.read() as connection:
        assert [(d.day, d.event, d.type, d.sent, d.read) for d in reports.daily(connection)] == before
        for user in GONE:
            assert store.left(connection, user) == {}
    assert world.violations() == []
    for user in set(USERS) - set(GONE):
        log = world.log(user)
        assert [entry.id for entry in log if entry.id in set(sent)] == sent
        assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
