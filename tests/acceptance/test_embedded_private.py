"""Only the owner can read the files of the embedded default; other machines get no tokens from it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.backends import embedded
from tests.harness.http_client import Http
from tests.harness.processes import run
from tests.harness.site import Site, new_user


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Set a umask that removes no rights."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Return the files for which group or others have any rights."""
    return [
        f"{stat.filemode(one.stat().st_mode)} {one}"
        for one in (folder, *folder.rglob("*"))
        if one.stat().st_mode & 0o077
    ]


def test_no_umask_opens_the_database_and_the_brokers_folder(open_umask: None, tmp_path: Path) -> None:
    backend = embedded(tmp_path / "made" / "var")
    site, user = Site(backend, tmp_path), new_user("private")
    try:
        site.up()
        with site.socket(user) as socket:
            socket.expect("event", 20, id=site.send(user))
        assert (backend.var_dir / "notifier.db-wal").exists()
        assert stat.S_IMODE((backend.var_dir / "broker").stat().st_mode) == 0o700
        for name in ("notifier.db", "notifier.db-wal", "notifier.db-shm"):
            assert stat.S_IMODE((backend.var_dir / name).stat().st_mode) == 0o600, name
        assert stat.S_IMODE(backend.var_dir.stat().st_mode) == 0o700
        # Nobody reaches the files in these two, since the folder itself is closed.
        for folder in ("broker/events", "metrics"):
            if (backend.var_dir / folder).exists():
                assert stat.S_IMODE((backend.var_dir / folder).stat().st_mode) == 0o700
        left = open_to_others(backend.var_dir)
        assert [one for one in left if "/broker/events/" not in one and "/metrics/" not in one] == []
    finally:
        site.close()


def test_what_an_earlier_version_left_open_is_closed(open_umask: None, tmp_path: Path) -> None:
    backend = embedded(tmp_path / "var")
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    (backend.var_dir / "notifier.db").chmod(0o644)
    assert run("notifier", "migrate", env=backend.env).returncode == 0
    assert stat.S_IMODE((backend.var_dir / "notifier.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(("demo", "status", "said"), [
    ("", 404, "NOTIFIER_HOST: others can reach 0.0.0.0, so the demo is off"),
    ("1", 200, "NOTIFIER_DEMO: anybody who reaches 0.0.0.0 gets a token"),
])  # fmt: skip
def test_the_demo_is_for_this_machine_unless_it_is_asked_for(
    tmp_path: Path, demo: str, status: int, said: str
) -> None:
    backend = embedded(tmp_path / "var")
    backend.env.update(NOTIFIER_HOST="0.0.0.0", NOTIFIER_DEMO=demo)
    site = Site(backend, tmp_path)
    try:
        site.up()
        with contextlib.closing(Http(backend.base_url)) as client:
            assert client.request("GET", "/").status == status
        assert said in site.processes[0].log.read_text()
    finally:
        site.close()
