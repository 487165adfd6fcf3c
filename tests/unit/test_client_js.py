"""The browser's client under Node's own test runner, and the types, contents and size of its package."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1] / "client"
CI = bool(os.environ.get("CI"))


def _missing(what: str) -> None:
    if CI:
        pytest.fail(what)
    pytest.skip(what)


def _run(*command: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def node() -> str:
    """Node 20 or newer."""
    found = shutil.which("node")
    if found is None:
        _missing("node is not installed: the client's tests need Node.js 20 or newer")
    version = _run(str(found), "--version").stdout.strip()
    if int(version.lstrip("v").partition(".")[0]) < 20:
        _missing(f"node is {version}: the client's tests need Node.js 20 or newer")
    return str(found)


@pytest.fixture(scope="module")
def tools(node: str) -> Path:
    """esbuild, tsc and axe-core, installed from the lock when they are missing."""
    modules = TESTS / "node_modules"
    lock = TESTS / "package-lock.json"
    mark = modules / ".package-lock.json"
    if mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return modules
    npm = shutil.which("npm")
    if npm is None:
        _missing("npm is not installed: the client's package tests need it")
    done = _run(str(npm), "ci", "--ignore-scripts", timeout=110)
    if done.returncode:
        _missing(f"npm ci failed: {done.stderr.strip()[-500:]}")
    mark.touch()
    return modules


def _passes(node: str, *files: str) -> None:
    done = _run(node, "--test", "--test-reporter=tap", *files)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize(
    "name", ["store", "client", "tabs", "facilities", "configuration", "rules", "preferences"]
)
def test_client(node: str, name: str) -> None:
    _passes(node, f"{name}.test.mjs")


def test_package(node: str, tools: Path) -> None:
    assert tools.is_dir()
    _passes(node, "package.test.mjs")
