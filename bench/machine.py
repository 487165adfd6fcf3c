"""Describe what was measured: the machine, the versions, the commit."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from bench.peers import install

PACKAGES = (
    "celery", "flask", "flask-sock", "gevent", "gunicorn", "kombu", "orjson", "psycopg", "pydantic",
    "sqlalchemy",
)  # fmt: skip
_PROGRAMS = {
    "postgresql": ("psql", "--version"),
    "redis": ("redis-server", "--version"),
    "node": ("node", "--version"),
    "nginx": ("nginx", "-v"),
}
_NUMBER = re.compile(r"\d+\.\d+(\.\d+)?")


def machine() -> dict[str, Any]:
    """Return the processor, the memory, the system and the load."""
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def versions() -> dict[str, Any]:
    """Return the versions of our packages, the servers and the peers' packages."""
    found: dict[str, Any] = {"python": platform.python_version()}
    found |= {name: version(name) for name in PACKAGES}
    found |= {name: said for name, words in _PROGRAMS.items() if (said := _says(*words))}
    if rabbitmq := _rabbitmq():
        found["rabbitmq"] = rabbitmq
    return {**found, "peers": _peers()}


def commit() -> str:
    """Return the commit that is checked out, with a plus when files differ from it."""
    head = _output("git", "rev-parse", "--short=10", "HEAD").strip()
    changed = _output("git", "status", "--porcelain", "--untracked-files=no").strip()
    return f"{head}{'+' if changed else ''}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _output(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return ""
    return done.stdout + done.stderr


def _says(*words: str) -> str:
    path = {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"}["PATH"]
    found = next((f"{place}/{words[0]}" for place in path.split(":") if Path(place, words[0]).exists()), None)
    number = _NUMBER.search(_output(found, *words[1:])) if found else None
    return number[0] if number else ""


def _rabbitmq() -> str:
    places = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    return places[-1].name.removeprefix("rabbitmq_server-") if places else ""


def _peers() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for lock in sorted(install.FOLDER.glob("*/requirements.txt")):
        wanted = {
            line.split("[")[0].strip() for line in lock.with_suffix(".in").read_text().splitlines() if line
        }
        pins = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE)
        found[lock.parent.name] = {name: pin for name, pin in pins if name in wanted}
    for lock in sorted(install.FOLDER.glob("*/package-lock.json")):
        packages = json.loads(lock.read_text())["packages"]
        wanted = packages[""]["dependencies"]
        found[lock.parent.name] = {name: packages[f"node_modules/{name}"]["version"] for name in wanted}
    return found
