"""The first example passes `mypy --strict` as a user runs it: without a plugin, in an application of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.harness.pages import blocks

ROOT = Path(__file__).resolve().parents[2]
MORE = """
from notifier.core.events import Action

Alert(title="t", message="m", type="info", actions=[{"label": "a", "url": "/"}, Action(label="b", url="/b")])
Alert(title="t", message="m", type="info", action=Action(label="b", url="/b"), image="/a.png")
Alert(title="t", message="m", type="fatal")
Alert(title="t", type="info")
Alert(title="t", message="m", type="info", action="/x")
"""


def checked(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    file = folder / "application.py"
    file.write_text(source)
    (folder / "empty.ini").write_text("[mypy]\n")
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file", "empty.ini", file.name],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )  # fmt: skip


def test_the_first_example_is_typed(tmp_path: Path) -> None:
    (first, *_) = [block for block in blocks("README.md", "python") if "send_notification(" in block]
    assert 'action={"label"' in first
    done = checked(tmp_path, first)
    assert done.returncode == 0, done.stdout

    done = checked(tmp_path, first + MORE)
    wrong = [line for line in done.stdout.splitlines() if ": error: " in line]
    last = len((first + MORE).splitlines())
    assert sorted({int(line.split(":")[1]) for line in wrong}) == [last - 2, last - 1, last], done.stdout
