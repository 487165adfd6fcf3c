"""Each wheel takes along every package, and every file that its code reads.

tests/acceptance/test_wheels.py builds and runs them; this tells at once what a new folder forgot.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("where", [REPO, REPO / "notifier"], ids=["service", "library"])
#: Files beside the code that no code reads: for those who work on it, or who watch it.
NOT_READ = {
    "client/README.md", "client/build.mjs", "client/package.json", "monitoring/alerts.test.yml",
    "monitoring/alerts.yml", "monitoring/dashboard.json", "monitoring/prometheus.yml", "notifier/LICENSE",
    "notifier/README.md", "notifier/pyproject.toml",
}  # fmt: skip
#: Not ours: an application of somebody else's, and what tools leave behind.
PASSED_OVER = {"bookshop", "__pycache__", "build", "node_modules"}


def described(where: Path) -> dict[str, Any]:
    """What setuptools is told, in a folder's pyproject.toml."""
    told: dict[str, Any] = tomllib.loads((where / "pyproject.toml").read_text())["tool"]["setuptools"]
    return told


def places(where: Path) -> dict[str, Path]:
    """The folder of each package of the wheel that is built in a folder."""
    told = described(where)
    root = told.get("package-dir", {})
    return {
        name: where / "/".join(name.split(".")[1:])
        if name.split(".")[0] in root
        else where / name.replace(".", "/")
        for name in told["packages"]
    }


def files(where: Path) -> set[Path]:
    """Every file below the packages of the wheel that is built in a folder."""
    tops = [folder for name, folder in places(where).items() if "." not in name]
    return {
        file
        for top in tops
        for file in top.rglob("[!.]*")
        if file.is_file()
        and not any(
            part in PASSED_OVER or part.endswith(".egg-info") for part in file.relative_to(REPO).parts
        )
    }


@BOTH
def test_every_package_is_in_its_wheel(where: Path) -> None:
    listed = set(places(where).values())
    assert {file.parent for file in files(where) if file.suffix == ".py"} == listed


@BOTH
def test_every_file_that_the_code_reads_is_in_its_wheel(where: Path) -> None:
    taken = {
        file
        for name, patterns in described(where)["package-data"].items()
        for pattern in patterns
        for file in places(where)[name].glob(pattern)
    }
    left = {str(file.relative_to(REPO)) for file in files(where) - taken if file.suffix != ".py"}
    assert left <= NOT_READ
