"""Two versions beside each other on one database and one broker, as in docs/deploy.md, under load.

The old version is an earlier commit, run from its own folder. `tests.chaos.run` checks the clients' ledgers,
the inboxes and the audit; here the upgrade is the fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import tarfile
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.chaos.run import one_run
from tests.chaos.stack import Stack
from tests.harness import backends, processes
from tests.harness.backends import Backend
from tests.harness.client import LedgerClient
from tests.harness.processes import REPO
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.services import missing
from tests.harness.site import Site, new_user

# The first one of this round's baseline (migrations n0001 to n0003).
OLD_COMMIT = "c043286"


@pytest.fixture(scope="module")
def old_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the old version."""
    git = partial(subprocess.run, cwd=REPO, capture_output=True, timeout=60, check=False)
    if git(["git", "rev-parse"]).returncode != 0:
        pytest.skip("not in a git checkout")
    done = git(["git", "archive", OLD_COMMIT])
    if done.returncode != 0:
        raise missing(f"the clone is too shallow for the old version: {done.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("old") / "version"
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def serve_together(stack: Stack) -> None:
    """What is accepted by any web process reaches a socket at every web process, no matter which worker dispatches it."""
    user = new_user("mixed")
    sites = [Site(backend, stack.folder) for backend in stack.backends]
    with ExitStack() as opened:
        for site in sites:
            opened.callback(site.close)
        sockets = [opened.enter_context(site.socket(user)) for site in sites]
        for seq, site in enumerate(sites, 1):
            identity = site.send(user)
            for socket in sockets:
                socket.expect("event", 30, seq=seq, id=identity)


async def upgrade_and_back(old: Path, stack: Stack, _rng: random.Random) -> None:
    """Go through every mix of old and new under load, and part of the way back."""

    async def change(part: str, tree: Path) -> None:
        await asyncio.to_thread(stack.change_version, part, tree)

    async def serve() -> None:
        await asyncio.to_thread(serve_together, stack)

    first, second = (stack.processes[name] for name in ("worker 1", "worker 2"))
    await asyncio.to_thread(stack.migrate, REPO)
    await serve()  # the old version on the new schema

    await change("worker 1", REPO)
    await asyncio.to_thread(second.terminate)
    await serve()  # new worker, old web

    await asyncio.to_thread(second.start)
    await asyncio.to_thread(first.terminate)
    await change("web 1", REPO)
    await serve()  # old worker, old and new web
    await change("web 2", REPO)
    await serve()  # old worker, new web

    for part in ("worker 1", "worker 2", "beat"):
        await change(part, REPO)
    await serve()  # all new

    for part in ("worker 1", "web 1"):
        await change(part, old)
    await serve()  # and partly back: the old version still works


@pytest.mark.long
@pytest.mark.timeout(300)
def test_versions_change_under_load_and_nothing_is_lost(
    old_version: Path, tmp_path: Path, rabbit_server: SharedRabbit
) -> None:
    with backends.open_backend("production", tmp_path / "var", rabbit_server) as backend:
        stack = Stack("production", tmp_path / "stack", tree=old_version, backend=backend)
        try:
            stack.start()
            fault = partial(upgrade_and_back, old_version)
            outcome = asyncio.run(one_run(stack, "rolling upgrade", fault, 1))
        finally:
            stack.stop()
    assert outcome.notes == []
    assert outcome.accepted


def test_up_changes_its_version_by_a_restart(old_version: Path, tmp_path: Path) -> None:
    """Stop the embedded `notifier up`, and start the other version, which migrates first."""
    backend = backends.embedded(tmp_path / "var")
    site, user, sent = Site(backend, tmp_path), new_user("upgraded"), []

    def run(tree: Path) -> None:
        process = processes.of_tree("up", env=backend.env, log=tmp_path / "up.log", tree=tree).start()
        site.processes.append(process.wait_ready(backend.base_url))
        sent.extend(site.send(user, f"From {tree.name} {number}") for number in range(3))

    async def life() -> None:
        await asyncio.to_thread(run, old_version)
        client = LedgerClient(backend.ws_url, user, lambda: backend.token(user), device="phone")
        running = asyncio.create_task(client.run())
        await client.wait_for(lambda ledger: len(ledger.received) == 3, 30, "what was sent")
        await asyncio.to_thread(site.close)
        await asyncio.to_thread(run, REPO)
        await client.wait_for(lambda ledger: len(ledger.received) == 6, 30, "what was sent")
        await client.stop()
        await running
        client.ledger.account(sent)
        client.ledger.in_order(sent)

    with contextlib.closing(site):
        asyncio.run(life())
        done = processes.run("notifier", "verify", env=backend.env)
        assert done.returncode == 0, done.stdout


def test_a_version_leaves_what_a_later_one_has_migrated(backend: Backend) -> None:
    """Going back: `notifier up` and the compose file migrate first, and must still start."""
    assert processes.run("notifier", "migrate", env=backend.env).returncode == 0
    engine = sa.create_engine(backend.database_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE notifier_alembic_version SET version_num = '9999'"))
    done = processes.run("notifier", "migrate", env=backend.env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("a later version has migrated")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM notifier_alembic_version")) == "9999"
