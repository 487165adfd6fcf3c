"""Death at a named step, inside the server's own processes.

The server imports this module because the setting NOTIFIER_EVENTS names it. It wraps the functions on
either side of each step; whoever passes a step whose file lies in the folder STEPS_FOLDER takes the file
away (of several processes one wins) and kills itself there, without a chance to clean up.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = "LIVE_CHAOS_STEPS"
SABOTAGE = "LIVE_CHAOS_SABOTAGE"

#: name -> the process that dies there
STEPS = {
    "after accept, before ring": "web",
    "before the dispatch's commit": "worker",
    "after commit, before publish": "worker",
    "after publish, before the task's ack": "worker",
    "after ack frame, before its flush": "web",
}


def arm(folder: Path, step: str) -> Path:
    """Let the next process that passes `step` die there; its file goes when it does."""
    file = folder / step.replace(" ", "_")
    file.touch()
    return file


def _pass(step: str, when: object = True) -> None:
    """Die here if it is this step's turn, and `when` holds (there is something to lose)."""
    if not when:
        return
    try:
        (Path(os.environ[FOLDER]) / step.replace(" ", "_")).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(owner: Any, name: str, *, before: Callable[..., None] | None = None,
          after: Callable[..., None] | None = None) -> None:  # fmt: skip
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        result = original(*args, **kwargs)
        if after is not None:
            after(result)
        return result

    setattr(owner, name, wrapped)


def _install() -> None:
    """Wrap what this process has: a worker has the dispatcher, a web process the acks."""
    if worker := sys.modules.get("worker.dispatcher"):
        dispatcher: Any = worker.Dispatcher
        _wrap(
            sys.modules["models.store.dispatch"], "dispatch_batch",
            after=lambda done: _pass("before the dispatch's commit", done.ids),
        )  # fmt: skip
        _wrap(
            dispatcher, "_publish",
            before=lambda _, done: _pass("after commit, before publish", done.entries),
            after=lambda _: _pass("after publish, before the task's ack"),
        )  # fmt: skip
    if acks := sys.modules.get("web.gateway.acks"):
        ring = sys.modules["notifier.ring"]
        _wrap(ring.Ringer, "ring", before=lambda *_, **__: _pass("after accept, before ring"))
        _wrap(
            acks.Acks, "flush",
            before=lambda self: _pass("after ack frame, before its flush", self._acks),
        )  # fmt: skip


if os.environ.get(FOLDER):
    _install()
if os.environ.get(SABOTAGE):
    from tests.chaos.sabotage import commit as _sabotage

    _sabotage(os.environ[SABOTAGE])
