"""An older backup is restored as docs/runbook.md says, although clients have seen newer events."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.harness import processes
from tests.harness.backends import Backend
from tests.harness.client import LedgerClient
from tests.harness.ledger import Ledger
from tests.harness.pages import blocks
from tests.harness.services import find_binary, missing
from tests.harness.site import Site, running_site

SECTION = "Back-up and restore"
AHEAD, LEVEL, LATER = "ahead of the backup", "as far as the backup", "first heard of after it"


class Shell:
    """Runs the page's commands with the backend's paths."""

    def __init__(self, backend: Backend, folder: Path) -> None:
        self._folder = folder
        self._env = dict(backend.env)
        self._back_up, self._restore = blocks("docs/runbook.md", "sh", SECTION)[:2]
        if backend.kind == "embedded":
            self._back_up, self._restore = blocks("docs/runbook.md", "sh", SECTION)[2:]
            return
        if find_binary("pg_dump") is None:
            raise missing("PostgreSQL's client programs are not installed")
        url = make_url(backend.database_url)
        told = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password}
        self._env |= {f"PG{name}": str(value) for name, value in told.items() if value}
        self._env["PGDATABASE"] = str(url.database)

    def back_up(self) -> None:
        """Make a backup while everything runs."""
        self._run(self._back_up)

    def restore(self) -> None:
        """Restore it while nothing runs."""
        self._run(self._restore)

    def _run(self, commands: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-eux", "-c", commands], env=processes.clean_env(self._env), cwd=self._folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def follow(
    site: Site,
    ledger: Ledger,
    has_all: Callable[[Ledger], bool],
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Reconnect the ledger's client until it has everything; call `meanwhile` when it is live."""

    async def life() -> None:
        user, backend = ledger.user_id, site.backend
        client = LedgerClient(backend.ws_url, user, backend.token(user), device="phone", ledger=ledger)
        running = asyncio.create_task(client.run())
        await client.wait_live(20)
        await asyncio.to_thread(meanwhile)
        await client.wait_for(has_all, 20, "what was sent")
        await client.stop()
        await running

    asyncio.run(life())


def send(site: Site, user: str, count: int) -> set[str]:
    """Send that many alerts, and wait until they are in the inbox."""
    with site.user(user) as inbox:
        before = inbox.inbox(limit=1).json["seq"]
    ids = {site.send(user, f"Alert {number}") for number in range(count)}
    site.arrived(user, before + count)
    return ids


def holds_the_inbox(site: Site, ledger: Ledger) -> None:
    """Assert that the client holds what a new read from the server returns."""
    with site.user(ledger.user_id) as inbox:
        page = inbox.inbox().json
        assert list(ledger.inbox.differences(page, inbox.items())) == []
        assert page["seq"] == ledger.seq


def starts_afresh(site: Site, ledger: Ledger, kept: set[str]) -> None:
    """Assert that the client reconnects, is reset once, holds the restored inbox, and gets new events."""
    new: list[str] = []
    follow(
        site,
        ledger,
        lambda ledger: len(new) == 3 and set(new) <= ledger.received.keys(),
        lambda: new.extend(site.send(ledger.user_id, "And one more") for _ in range(3)),
    )
    assert len(ledger.resets) == 1
    assert kept <= ledger.inbox.entries.keys()
    ledger.in_order(new)
    holds_the_inbox(site, ledger)
    follow(site, ledger, lambda ledger: ledger.live)
    assert len(ledger.resets) == 1, "it goes on where it stood"


@pytest.mark.timeout(240)
def test_clients_that_saw_more_than_the_backup_are_reset_and_miss_nothing(
    backend: Backend, tmp_path: Path
) -> None:
    shell = Shell(backend, tmp_path)
    ledgers = {user: Ledger(user) for user in (AHEAD, LEVEL, LATER)}

    def seen(site: Site, user: str, count: int) -> set[str]:
        ids = send(site, user, count)
        follow(site, ledgers[user], lambda ledger: ids <= ledger.received.keys())
        return ids

    with running_site(backend, tmp_path) as site:
        kept = {AHEAD: seen(site, AHEAD, 6), LEVEL: seen(site, LEVEL, 6), LATER: set[str]()}
        shell.back_up()
        seen(site, AHEAD, 5)
        seen(site, LATER, 5)
    assert [ledger.seq for ledger in ledgers.values()] == [11, 6, 5]

    shell.restore()

    with running_site(backend, tmp_path) as site:
        # The new log gets longer than the lost one before any client reconnects.
        kept = {user: ids | send(site, user, 9) for user, ids in kept.items()}
        for user, ledger in ledgers.items():
            starts_afresh(site, ledger, kept[user])
        done = processes.run("notifier", "verify", env=backend.env)
        assert done.returncode == 0, done.stdout
