"""A newcomer's first steps: clone, `make run`, an alert. In a folder with a space in its name, and twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import process_tree
from tests.harness.backends import Backend
from tests.harness.processes import REPO, Process
from tests.harness.site import Site
from tests.harness.waiting import free_port, until

# The first time, the virtual environment is made and every locked package installed.
FIRST_SECONDS, SECOND_SECONDS = 240.0, 30.0


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the committed state in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("make") / "my first clone"
    done = subprocess.run(
        ["git", "clone", "--quiet", "--local", str(REPO), str(folder)],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"not in a git checkout: {done.stderr.strip()}")
    return folder


def environment(port: int) -> dict[str, str]:
    """Return a clean environment without this virtual environment, with the path to the system's programs."""
    own = str(REPO / ".venv")
    path = os.pathsep.join(
        part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if not part.startswith(own)
    )
    return {"PATH": path, "NOTIFIER_PORT": str(port)}


def make_run(clone: Path, port: int, seconds: float) -> tuple[Site, Process]:
    """Yield the site of `make run` when it is ready."""
    process = Process("make-run", ["make", "run"], env=environment(port), log=clone.parent / "log", cwd=clone)
    process.start()
    var = clone / "var"
    backend = Backend("embedded", f"sqlite:///{var}/notifier.db", "", var, port, environment(port))
    process.wait_ready(backend.base_url, seconds)
    return Site(backend, clone.parent), process


@pytest.mark.timeout(400)
def test_make_run_in_a_fresh_clone_twice(clone: Path) -> None:
    port = free_port()
    others = {one.pid for one in process_tree.marked()}  # ports of sites that other tests share
    site, process = make_run(clone, port, FIRST_SECONDS)
    with site.socket("user-7") as socket:
        identity = site.send("user-7")
        socket.expect("event", seq=1, id=identity)
    until(lambda: f"http://127.0.0.1:{port}" in process.log.read_text(), 20, "the address is printed")
    site.close()
    interrupt(process, others)

    begun = time.monotonic()
    site, process = make_run(clone, port, SECOND_SECONDS)
    assert time.monotonic() - begun < SECOND_SECONDS
    with site.user("user-7") as api:
        assert [item["id"] for item in api.inbox().json["items"]] == [identity]
    interrupt(process, others)


def interrupt(process: Process, others: set[int]) -> None:
    """Send Ctrl-C to the whole group, as a terminal does. All must end without an error."""
    family = process_tree.tree(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    process.wait(25)
    process_tree.wait_gone(family, 5)
    left = {one.pid for one in process_tree.marked()} - others
    assert not left, "processes left behind"
    assert "Traceback" not in process.log.read_text(), process.tail()


@pytest.mark.timeout(60)
def test_make_alone_lists_its_targets(clone: Path) -> None:
    done = subprocess.run(
        ["make"], cwd=clone, env=environment(1), capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    for target in ("make run", "make test", "make lint"):
        assert target in done.stdout
