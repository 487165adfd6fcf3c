"""What a forked child resets: one mechanism, `notifier/core/forks.py`, for everything with a lock or a thread."""

import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from notifier.core import forks
from notifier.core.forks import in_child, making
from notifier.core.group import Group
from notifier.outbox.engine import Database, make_engine

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

REPO = Path(__file__).resolve().parents[2]


class Holder:
    """An object with a lock, which registers a reset."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.resets = 0
        in_child(self.reset)

    def reset(self) -> None:
        self.resets += 1
        self.lock = threading.Lock()


def in_a_child(holds: Callable[[], bool]) -> bool:
    """Return whether `holds` returns True in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if holds() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_resets_what_is_registered_and_the_parent_does_not() -> None:
    holder = Holder()
    with holder.lock:
        assert in_a_child(lambda: holder.resets == 1 and not holder.lock.locked())
    assert holder.resets == 0


def test_a_grandchild_resets_it_again() -> None:
    holder = Holder()
    assert in_a_child(lambda: in_a_child(lambda: holder.resets == 2))


def test_a_registered_object_is_not_kept_alive() -> None:
    before = len(forks._resets)
    holders = [Holder() for _ in range(10)]
    assert len(forks._resets) == before + 10
    holders.clear()
    gc.collect()
    assert len(forks._resets) <= before


def test_a_fork_waits_for_what_is_half_made() -> None:
    inside, leave, states = threading.Event(), threading.Event(), ["nothing"]

    def make() -> None:
        with making:
            states[0] = "half"
            inside.set()
            leave.wait(10)
            states[0] = "whole"

    maker = threading.Thread(target=make)
    maker.start()
    assert inside.wait(10)
    threading.Timer(0.05, leave.set).start()
    assert in_a_child(lambda: states[0] == "whole" and making.acquire(blocking=False))
    maker.join()


def test_a_child_of_a_process_whose_group_is_at_work_leads_its_own() -> None:
    started, finish = threading.Event(), threading.Event()

    def work(items: list[str]) -> list[str]:
        started.set()
        if items == ["parent"]:
            finish.wait(10)
        return [item.upper() for item in items]

    group: Group[str, str] = Group(work, max_items=10)  # type: ignore[arg-type]
    caller = threading.Thread(target=group, args=("parent",))
    caller.start()
    assert started.wait(10)
    assert in_a_child(lambda: group("child") == "CHILD")
    finish.set()
    caller.join()


def test_a_child_opens_connections_of_its_own(tmp_path: Path) -> None:
    database = Database(make_engine(f"sqlite:///{tmp_path / 'db'}"))
    database.check()
    pool = database.engine.pool

    def another_pool() -> bool:
        database.check()
        return database.engine.pool is not pool

    assert in_a_child(another_pool)
    assert database.engine.pool is pool
    database.dispose()


def test_no_other_module_asks_whether_it_was_forked() -> None:
    packages = ("notifier", "models", "usecases", "monitoring", "worker", "web", "cli")
    files = [file for package in packages for file in (REPO / package).rglob("*.py")]
    words = ("register_at_fork", "worker_process_init", "post_fork", "!= os.getpid()", "== os.getpid()")
    found = {str(file.relative_to(REPO)) for file in files if any(word in file.read_text() for word in words)}
    assert found == {"notifier/core/forks.py"}
