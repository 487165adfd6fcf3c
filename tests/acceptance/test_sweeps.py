"""Every worker sweeps by itself, by monotonic time: a clock that is wrong or jumps does not stop it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from tests.harness.backends import Backend
from tests.harness.fake_clock import faketime
from tests.harness.processes import run
from tests.harness.site import Site, new_user
from tests.harness.waiting import until
from tests.harness.world import World


@pytest.fixture
def site(backend: Backend, tmp_path: Path) -> Iterator[Site]:
    """Yield a migrated backend without a process."""
    site = Site(backend, tmp_path)
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    yield site
    site.close()


@pytest.fixture
def world(backend: Backend) -> Iterator[World]:
    """Yield a store that accepts without waking a worker, as if each wake-up were lost."""
    database = Database(make_engine(backend.database_url))
    yield World(database, now())
    database.dispose()


def swept(site: Site, world: World) -> None:
    """Assert that a notification without a wake-up is dispatched."""
    user = new_user("swept")
    world.accept(user)
    until(lambda: world.page(user), 30, "the sweep dispatches it")


@pytest.mark.parametrize("shift", ["+0", "-1h", "+1h"])
def test_a_worker_whose_clock_is_wrong_sweeps(site: Site, world: World, tmp_path: Path, shift: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text(shift)
    site.start("worker", **faketime(clock))
    for _ in range(3):
        swept(site, world)


def test_a_clock_that_jumps_back_an_hour_stops_no_sweep(site: Site, world: World, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    site.start("worker", **faketime(clock))
    swept(site, world)
    clock.write_text("-1h")
    for _ in range(3):
        swept(site, world)
    clock.write_text("+1d")
    swept(site, world)


def test_the_parent_of_a_pool_sweeps(site: Site, world: World) -> None:
    site.start("worker", "--concurrency", "2")
    for _ in range(2):
        swept(site, world)


def test_two_workers_sweep_and_each_row_goes_out_once(site: Site, world: World) -> None:
    site.start("worker")
    site.start("worker")
    users = [new_user("both") for _ in range(50)]
    for user in users:
        world.accept(user)
    until(lambda: all(world.page(user) for user in users), 30, "all are dispatched")
    assert {world.head(user)[0] for user in users} == {1}
    done = run("notifier", "verify", env=site.backend.env)
    assert done.returncode == 0, done.stdout


def test_the_command_beat_says_that_it_is_not_needed_and_stops_when_told(site: Site) -> None:
    beat = site.start("beat")
    beat.wait_logged("not needed any more")
    assert beat.alive
    assert beat.terminate() == 0
