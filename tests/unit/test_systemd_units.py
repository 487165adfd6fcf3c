"""The systemd units in deploy/: valid, and consistent with the commands and with docs/deploy.md."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import click
import pytest

from cli.main import main
from notifier.settings import Settings
from tests.unit.test_deployment_files import procfile

REPO = Path(__file__).resolve().parents[2]
UNITS = sorted((REPO / "deploy").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
PROGRAM = "/opt/live-notifications/bin/notifier"
ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(
    ANALYZE is None and not os.environ.get("CI"),
    reason="systemd-analyze is not installed (Debian: apt install systemd)",
)


def read(path: Path) -> RawConfigParser:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text())
    return unit


def complaints(folder: Path) -> str:
    """Return what systemd says of the units in a folder, whose program is `/bin/true`."""
    for path in folder.iterdir():
        path.write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    assert ANALYZE is not None, "systemd-analyze is missing"
    done = subprocess.run(
        [ANALYZE, "verify", "--man=no", "./live-notifications.target", "./live-notifications-reach.service"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@needs_systemd
def test_systemd_accepts_every_unit(tmp_path: Path) -> None:
    assert complaints(Path(shutil.copytree(REPO / "deploy", tmp_path / "units"))) == ""


@needs_systemd
def test_systemd_names_a_wrong_key(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(REPO / "deploy", tmp_path / "units"))
    web = folder / "live-notifications-web.service"
    web.write_text(web.read_text().replace("TimeoutStopSec", "TimeoutStopSeconds"))
    assert "TimeoutStopSeconds" in complaints(folder)


def test_the_units_start_the_parts_of_the_procfile() -> None:
    commands = [shlex.split(read(path)["Service"]["ExecStart"]) for path in SERVICES]
    assert {program for program, *_ in commands} == {PROGRAM}
    parts = {name: command[1:] for name, command in procfile().items() if name != "release"}
    assert sorted(rest for _, *rest in commands) == sorted(parts.values())
    for _, name, *_ in commands:
        assert main.get_command(click.Context(main), name) is not None


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_part_has_time_to_stop_and_is_not_restarted_for_a_wrong_setting(path: Path) -> None:
    service = read(path)["Service"]
    assert int(service["TimeoutStopSec"]) >= Settings.model_fields["restart_grace"].default + 10
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == "2"
    assert service["User"] == "notifier"
    assert int(service["LimitNOFILE"]) >= 65_536


def test_each_part_counts_in_a_folder_of_its_own() -> None:
    folders = [read(path)["Service"]["Environment"] for path in SERVICES]
    assert len(set(folders)) == len(folders)
    for folder in folders:
        assert folder.startswith("NOTIFIER_VAR_DIR=/var/lib/live-notifications/")


def test_the_page_installs_every_unit() -> None:
    page = (REPO / "docs" / "deploy.md").read_text()
    assert "cp deploy/live-notifications* /etc/systemd/system/" in page
    for path in SERVICES:
        assert path.stem.rstrip("@") in page
