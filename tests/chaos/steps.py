"""Kill the server's processes at a named step, from inside.

The server imports this module because the setting NOTIFIER_EVENTS names it. It wraps the functions on
either side of each step; a process that passes a step whose file is in the folder STEPS_FOLDER takes the file
away (of several processes one wins) and kills itself there, without cleaning up. Or it hangs there until
it is killed; meanwhile its transaction is open and its locks are held.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

FOLDER = "LIVE_CHAOS_STEPS"
SABOTAGE = "LIVE_CHAOS_SABOTAGE"
CLAIM = "LIVE_CHAOS_CLAIM"  # seconds of a channel row's deadline, instead of 60
DIE, HANG = "die", "hang"
BEFORE_COMMIT = "before the dispatch's commit"
IN_STATEMENT = "during the dispatch's one statement"

#: name -> the process that dies there
STEPS = {
    "after accept, before wake-up": "web",
    BEFORE_COMMIT: "worker",
    IN_STATEMENT: "worker",
    "after commit, before publish": "worker",
    "after publish, before the task's ack": "worker",
    "after ack frame, before its flush": "web",
}
CHANNEL_STEPS = (
    "before sending is committed",
    "after sending, before the provider",
    "after 250, before sent",
)
PROVIDER_SECONDS = 3.0  # that a provider has to answer, where CLAIM is set


def arm(folder: Path, step: str, *, hang: bool = False) -> Path:
    """Let the next process that passes `step` die there, or hang there; its file is removed when it does."""
    file = folder / step.replace(" ", "_")
    fresh = file.with_suffix(".new")
    fresh.write_text(HANG if hang else DIE)
    return fresh.rename(file)


def hanging(folder: Path, step: str) -> int:
    """Return the process that hangs at `step`."""
    return int(_place(folder, step).read_text())


def _place(folder: Path, step: str) -> Path:
    return folder / f"{step.replace(' ', '_')}.pid"


def pass_step(step: str, *, before: Callable[[], None]) -> None:
    """Die here if this step is armed; call `before` first."""
    _pass(step, before=before)


def _pass(step: str, when: object = True, before: Callable[[], None] | None = None) -> None:
    """Die or hang here if this step is armed and `when` is true (there is something to lose)."""
    if not when:
        return
    folder, pid = Path(os.environ[FOLDER]), os.getpid()
    mine = folder / f"{pid}.taken"
    try:
        (folder / step.replace(" ", "_")).rename(mine)
    except FileNotFoundError:
        return
    mode = mine.read_text()
    if before is not None:
        before()
    if mode == HANG:
        mine.write_text(str(pid))
        mine.rename(_place(folder, step))
    os.kill(pid, signal.SIGSTOP if mode == HANG else signal.SIGKILL)


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


def _before_commits(dispatch: Any) -> None:
    """Pass BEFORE_COMMIT at the very end of a transaction that dispatches something."""
    dispatching = threading.local()

    def begun(done: Any) -> None:
        dispatching.ids = done.ids

    def commit(_connection: Any) -> None:
        ids, dispatching.ids = getattr(dispatching, "ids", ()), ()
        _pass(BEFORE_COMMIT, ids)

    _wrap(dispatch, "dispatch_batch", after=begun)
    event.listen(Engine, "commit", commit)


def _in_the_statement(at_once: Any, dispatch: Any) -> None:
    """Pass IN_STATEMENT while the server runs the statement, which may or may not be committed then."""
    original = at_once.dispatch_plain

    def dispatch_plain(connection: Any, **given: Any) -> Any:
        folder = Path(os.environ[FOLDER])
        if (folder / BEFORE_COMMIT.replace(" ", "_")).exists():
            return None  # the general way has a transaction that is open for some time
        if (folder / IN_STATEMENT.replace(" ", "_")).exists() and dispatch.due_numbers(
            connection, limit=1, now=given["now"]
        ):
            threading.Timer(random.uniform(0, 0.003), _pass, (IN_STATEMENT,)).start()
        return original(connection, **given)

    at_once.dispatch_plain = dispatch_plain


def _install() -> None:
    """Wrap the functions of this process: a worker's dispatcher, a web process's acks."""
    if worker := sys.modules.get("worker.steps"):
        publishing: Any = worker.Publishing
        _before_commits(sys.modules["models.store.dispatch"])
        _in_the_statement(sys.modules["models.store.at_once"], sys.modules["models.store.dispatch"])
        _wrap(
            publishing, "publish",
            before=lambda _, done: _pass("after commit, before publish", done.entries),
            after=lambda _: _pass("after publish, before the task's ack"),
        )  # fmt: skip
    if acks := sys.modules.get("web.gateway.acks"):
        wake = sys.modules["notifier.wake"]
        _wrap(wake.Waker, "wake", before=lambda *_, **__: _pass("after accept, before wake-up"))
        _wrap(
            acks.Acks, "flush",
            before=lambda self: _pass("after ack frame, before its flush", self._acks),
        )  # fmt: skip


def _install_channels(seconds: float) -> None:
    """Wrap the functions of a worker for channels, and shorten what it waits for."""
    store: Any = sys.modules["models.store.reach_claim"]
    claims: Any = sys.modules["usecases.reach"]
    loop: Any = sys.modules["worker.reach_loop"]
    begun, handed_over, answered = CHANNEL_STEPS
    _wrap(store, "claim", after=lambda _: _pass(begun))
    _wrap(claims, "claim", after=lambda claimed: _pass(handed_over, claimed))
    _wrap(loop, "attempt", after=lambda result: _pass(answered, type(result).__name__ == "Sent"))
    store.CLAIM_SECONDS = seconds
    sys.modules["worker.channels.smtp"].SmtpTransport.__init__.__kwdefaults__["timeout"] = PROVIDER_SECONDS
    sys.modules["worker.channels.push_http"].post.__defaults__ = (PROVIDER_SECONDS,)


if os.environ.get(FOLDER):
    _install()
    if os.environ.get(CLAIM) and "worker.reach_loop" in sys.modules:
        _install_channels(float(os.environ[CLAIM]))
if os.environ.get(SABOTAGE):
    from tests.chaos.sabotage import commit as _sabotage

    _sabotage(os.environ[SABOTAGE])
