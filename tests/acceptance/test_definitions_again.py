"""`kill -HUP` of `notifier up`: web and worker read NOTIFIER_DEFINITIONS again, and a wrong file changes nothing.

The file is read before any database or broker is, so one backend is enough.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness import backends
from tests.harness.site import Site, new_user, running_site
from tests.harness.waiting import until

PARCEL = {
    "schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    "category": "parcels",
}
PARCELS = {"title": "Parcels", "description": "Where they are"}


def write(path: Path, document: dict[str, Any] | str) -> None:
    new = path.with_suffix(".new")
    new.write_text(document if isinstance(document, str) else json.dumps(document))
    new.replace(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "definitions.json"
    write(path, {})
    return path


@pytest.fixture
def site(tmp_path: Path, file: Path) -> Iterator[Site]:
    with backends.open_backend("embedded", tmp_path / "var", None) as backend:
        backend.env.update(NOTIFIER_DEFINITIONS=str(file), NOTIFIER_RESTART_GRACE="2")
        with running_site(backend, tmp_path) as site:
            until(lambda: all(map(heeds_sighup, pids(site))), 40, "each part has read the file")
            yield site


def status(site: Site, user: str) -> int:
    body = {"user_id": user, "event": "parcel", "data": {"place": "the counter"}, "category": "parcels"}
    answer: int = site.api.notify(body).status
    return answer


def pids(site: Site) -> set[int]:
    """Return the parts that `notifier up` has started."""
    return {child.pid for child in psutil.Process(site.processes[0].pid).children()}


def heeds_sighup(pid: int) -> bool:
    """Whether a process has a handler for SIGHUP (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGHUP - 1) & 1)


def times_said(site: Site, file: Path) -> int:
    said = f"the definitions are not changed: NOTIFIER_DEFINITIONS: {file}"
    return site.processes[0].tail(1000).count(said)


def one_web_worker(site: Site) -> bool:
    masters = [psutil.Process(pid) for pid in pids(site)]
    return all(len(m.children()) == 1 for m in masters if "gunicorn" in " ".join(m.cmdline()))


def read_again(site: Site) -> None:
    site.processes[0].send_signal(signal.SIGHUP)


def test_a_new_event_is_known_to_web_and_worker_after_sighup(site: Site, file: Path) -> None:
    user = new_user()
    assert status(site, user) == 422
    write(file, {"events": {"parcel": PARCEL}, "categories": {"parcels": PARCELS}})
    read_again(site)
    until(lambda: status(site, user) == 202, 20, "web knows the event")
    until(lambda: one_web_worker(site), 20, "the web worker of before, which takes no socket, has ended")
    with site.socket(user) as socket:
        assert status(site, user) == 202
        event = socket.expect("event")
    assert event["event"] == "parcel"
    assert event["category"] == "parcels"


def test_a_wrong_file_changes_nothing_and_is_logged_in_one_line(site: Site, file: Path) -> None:
    user = new_user()
    write(file, {"events": {"parcel": PARCEL}, "categories": {"parcels": PARCELS}})
    read_again(site)
    until(lambda: status(site, user) == 202, 20, "web knows the event")
    before = pids(site)
    for number, wrong in enumerate(("{", {"events": {"Parcel": PARCEL}}, {"categories": {"parcels": {}}}), 1):
        write(file, wrong)
        read_again(site)
        # web, the worker and the worker for channels
        until(lambda n=number: times_said(site, file) == 3 * n, 20, "each part says it")
        until(lambda: one_web_worker(site), 20, "the web worker of before has ended")
        assert status(site, user) == 202
    assert pids(site) == before
    with site.socket(user) as socket:
        assert status(site, user) == 202
        assert socket.expect("event")["event"] == "parcel"
    assert "Traceback" not in site.processes[0].tail(1000)
