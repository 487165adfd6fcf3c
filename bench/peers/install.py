"""Install a peer's locked dependencies into an untracked folder beside it, once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent
SECONDS = 900


class Missing(Exception):
    """Raised, with the reason, when a peer cannot be set up here."""


def python(name: str) -> Path:
    """Return the programs' folder of a Python peer's environment; make it when its lock file is new."""
    folder = FOLDER / name
    lock, place = folder / "requirements.txt", folder / ".venv"
    if not _fresh(lock, place):
        print(f"  installing what bench/peers/{name}/requirements.txt locks", flush=True)
        venv.create(place, clear=True, with_pip=True)
        _run(
            name, str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input",
            "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", str(lock),
        )  # fmt: skip
        _stamp(lock, place)
    return place / "bin"


def node(name: str) -> Path:
    """Return the folder of a Node peer; install its packages when its lock file is new."""
    folder = FOLDER / name
    lock, place = folder / "package-lock.json", folder / "node_modules"
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Missing("node and npm are not installed")
    if not _fresh(lock, place):
        print(f"  installing what bench/peers/{name}/package-lock.json locks", flush=True)
        _run(name, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
        _stamp(lock, place)
    return folder


def program(name: str, package: str) -> str:
    """Return the path of an installed program."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        raise Missing(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def _run(name: str, *words: str) -> None:
    done = subprocess.run(
        words, cwd=FOLDER / name, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Missing(f"{words[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}")


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def _fresh(lock: Path, place: Path) -> bool:
    stamp = place / ".lock-digest"
    return stamp.is_file() and stamp.read_text() == _digest(lock)


def _stamp(lock: Path, place: Path) -> None:
    (place / ".lock-digest").write_text(_digest(lock))
