"""A wall clock that is wrong, for one process: libfaketime, with an offset that a file changes while it runs."""

from __future__ import annotations

import glob
from pathlib import Path

from tests.harness.processes import REPO
from tests.harness.services import missing

LIBRARY = "/usr/lib/*/faketime/libfaketime.so.1"


def installed() -> bool:
    """Return whether libfaketime is on this machine."""
    return bool(glob.glob(LIBRARY))  # noqa: PTH207  an absolute pattern


def faketime(clock: Path, *, python: bool = True) -> dict[str, str]:
    """Return the environment of a process whose wall clock has the offset in the file, such as "-1h"."""
    found = glob.glob(LIBRARY)  # noqa: PTH207  an absolute pattern
    if not found:
        raise missing("libfaketime is not installed")
    env = {
        "LD_PRELOAD": found[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return env | ({"PYTHONPATH": f"{REPO / 'tests' / 'harness' / 'faketime'}:{REPO}"} if python else {})
