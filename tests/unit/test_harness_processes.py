"""Processes and servers of the harness: they start, failures are noticed, and nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from tests.harness import process_tree, services
from tests.harness.postgres import PrivatePostgres, execute
from tests.harness.processes import Process
from tests.harness.waiting import DeadlineError, until

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("child", child.pid, flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
print("up", flush=True)
time.sleep(600)
"""


def python(code: str, tmp_path: Path) -> Process:
    return Process("python", [sys.executable, "-c", code], env={}, log=tmp_path / "log").start()


def test_a_kill_reaches_children_in_another_session(tmp_path: Path) -> None:
    process = python(FAMILY, tmp_path).wait_logged("child")
    child = psutil.Process(int(process.tail().split()[-1]))
    process.kill()
    assert not process_tree.is_running(child)


def test_the_sweep_finds_an_orphan(tmp_path: Path) -> None:
    process = python(FAMILY, tmp_path).wait_logged("child")
    child = psutil.Process(int(process.tail().split()[-1]))
    process.kill_main()
    assert child.pid in [found.pid for found in process_tree.marked()]
    assert process_tree.sweep()
    assert not process_tree.is_running(child)
    assert not list(process_tree.marked())


def test_a_process_that_ends_early_fails_the_wait_with_its_log(tmp_path: Path) -> None:
    process = python("print('the reason'); raise SystemExit(3)", tmp_path)
    with pytest.raises(AssertionError, match=r"ended with 3:\nthe reason"):
        process.wait_logged("never")


def test_a_process_that_ignores_sigterm_is_killed_and_is_a_failure(tmp_path: Path) -> None:
    process = python(STUBBORN, tmp_path).wait_logged("up")
    with pytest.raises(AssertionError, match="did not stop cleanly"):
        process.terminate(seconds=0.3)
    assert not process.alive


def test_freeze_stops_and_thaw_continues(tmp_path: Path) -> None:
    process = python(FAMILY, tmp_path).wait_logged("child")
    process.freeze()
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, 5, "stopped")
    process.thaw()
    until(lambda: psutil.Process(process.pid).status() != psutil.STATUS_STOPPED, 5, "going on")
    process.kill()


def test_a_process_that_leaves_a_child_behind_did_not_stop_cleanly(tmp_path: Path) -> None:
    process = python(FAMILY, tmp_path).wait_logged("child")
    with pytest.raises(AssertionError, match="did not stop cleanly: still running"):
        process.terminate()
    assert not list(process_tree.marked())


def test_the_environment_is_the_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_SECRET", "of the caller")
    process = python("import os; print(sorted(k for k in os.environ if 'NOTIFIER' in k))", tmp_path)
    assert process.wait() == 0
    assert process.tail() == "[]"


def test_a_deadline_is_a_failure() -> None:
    with pytest.raises(DeadlineError, match="never: not within"):
        until(lambda: False, 0.05, "never")


def test_a_missing_service_skips_on_a_laptop_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert isinstance(services.missing("x"), pytest.skip.Exception)
    monkeypatch.setenv("CI", "1")
    assert isinstance(services.missing("x"), pytest.fail.Exception)


def test_a_private_postgres_keeps_its_data_over_a_kill() -> None:
    with PrivatePostgres() as server:
        url = server.create_database("kept")
        execute(url, "CREATE TABLE t AS SELECT 42 AS answer")
        server.kill()
        assert not server.alive
        server.start()
        assert execute(url, "SELECT answer FROM t") == [(42,)]
    assert not server.folder.exists()
