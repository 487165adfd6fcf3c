"""The crash matrix of channels: `python -m tests.chaos.channels`.

Workers for channels, the mail server and the push service are killed and frozen at named steps, under alerts
and changing preferences; then every row is compared with the records of the servers. Exits non-zero on any
difference.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.chaos import steps
from tests.chaos.channel_run import ChannelOutcome, one_run
from tests.chaos.channel_services import STEPS
from tests.chaos.channel_stack import CLAIM_SECONDS, ChannelStack
from tests.harness.backends import Backend
from tests.harness.waiting import until

Fault = Callable[[ChannelStack, random.Random], None]
STEP_SECONDS = 30.0


def nothing(_stack: ChannelStack, rng: random.Random) -> None:
    """Do nothing: preferences change in every run."""
    time.sleep(rng.uniform(1, 2))


def kill(parts: Sequence[str], stack: ChannelStack, rng: random.Random) -> None:
    """Kill parts (SIGKILL), and start them again."""
    for part in parts:
        stack.kill(part)
    time.sleep(rng.uniform(0.3, 2))
    for part in parts:
        stack.start_again(part)


def freeze(part: str, stack: ChannelStack, rng: random.Random) -> None:
    """Stop a part (SIGSTOP) for longer than a row's deadline."""
    stack.freeze(part)
    time.sleep(CLAIM_SECONDS + rng.uniform(1, 3))
    stack.thaw(part)


def die_at(step: str, stack: ChannelStack, rng: random.Random) -> None:
    """Let the next process that passes a step die there, and start it again."""
    armed = steps.arm(stack.steps, step)
    until(lambda: not armed.exists(), STEP_SECONDS, f"somebody passes {step}")
    dead = until(stack.dead, 10, "it is dead")
    time.sleep(rng.uniform(0.3, 1))
    for part in dead:
        stack.start_again(part)


BEGUN, HANDED_OVER, ANSWERED = steps.CHANNEL_STEPS
#: name -> the fault, and whether everybody knows the end of every row after it.
FAULTS: dict[str, tuple[Fault, bool]] = {
    "preferences change, nothing else": (nothing, True),
    f"die {BEGUN}": (partial(die_at, BEGUN), False),
    f"die {HANDED_OVER}": (partial(die_at, HANDED_OVER), False),
    f"die {ANSWERED}": (partial(die_at, ANSWERED), False),
    **{f"{part} server dies {step}": (partial(die_at, step), False) for step, part in STEPS.items()},
    "kill worker for channels": (partial(kill, ["reach 1"]), False),
    "kill both workers for channels": (
        partial(kill, ["reach 1", "reach 2"]),
        False,
    ),
    "kill worker": (partial(kill, ["worker 1"]), True),
    "freeze worker for channels": (partial(freeze, "reach 1"), False),
    **{f"kill {part} server": (partial(kill, [part]), False)
       for part in ("mail", "push")},
    **{f"freeze {part} server": (partial(freeze, part), False) for part in ("mail", "push")},
}  # fmt: skip
#: Needs the servers.
PRODUCTION: dict[str, tuple[Fault, bool]] = {
    "kill PostgreSQL": (partial(kill, ["postgres"]), False),
    "kill RabbitMQ": (partial(kill, ["rabbitmq"]), True),
}


def catalogue(kind: str) -> dict[str, tuple[Fault, bool]]:
    """Return the faults of a backend."""
    # SQLite locks by the file: a worker that is frozen in a transaction stops everybody.
    here = {name: one for name, one in FAULTS.items() if kind != "embedded" or "freeze worker" not in name}
    return here | (PRODUCTION if kind == "production" else {})


def plan(kind: str, runs: int, seed: int, only: list[str]) -> Iterator[tuple[str, int]]:
    """Return the fault of each run: every fault once in a random order, then again."""
    rng = random.Random(seed)
    names = [name for name in catalogue(kind) if not only or any(part in name for part in only)]
    number = 0
    while names and number < runs:
        rng.shuffle(names)
        for name in names[: runs - number]:
            number += 1
            yield name, seed * 10_000 + number


def matrix(
    kind: str, faults: Iterable[tuple[str, int]], folder: Path, backend: Backend | None = None
) -> Iterator[ChannelOutcome]:
    """Run faults one after the other on one stack."""
    stack = ChannelStack(kind, folder, backend)
    try:
        stack.start()
        for name, seed in faults:
            fault, certain = catalogue(kind)[name]
            yield one_run(stack, name, fault, seed, certain=certain)
    finally:
        stack.stop()


COLUMNS = ("email sent", "email unknown", "email skipped", "push sent", "push unknown", "push skipped")


def table(outcomes: Iterable[ChannelOutcome]) -> str:
    """Return outcomes as a Markdown table: a row for each fault."""
    found: dict[str, list[ChannelOutcome]] = {}
    for one in outcomes:
        found.setdefault(one.fault, []).append(one)
    lines = [f"| fault | runs | accepted | {' | '.join(COLUMNS)} | differences | settled after, s |"]
    lines.append(f"| --- |{' ---: |' * (len(COLUMNS) + 4)}")
    for name, ones in found.items():
        counts = [sum(one.rows[column] for one in ones) for column in COLUMNS]
        cells = [len(ones), sum(one.accepted for one in ones), *counts, sum(len(one.notes) for one in ones)]
        latest = max(one.recovery for one in ones)
        lines.append(f"| {name} | {' | '.join(map(str, cells))} | {latest:.1f} |")
    return "\n".join(lines)


def main() -> int:
    """Parse the command line and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.channels", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=len(catalogue("production")))
    parser.add_argument("--backend", choices=("production", "embedded"), default="production")
    parser.add_argument("--fault", action="append", default=[], help="only faults whose name contains this")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="live-channels-"))
    outcomes = []
    faults = plan(given.backend, given.runs, given.seed, given.fault)
    for one in matrix(given.backend, faults, folder / "stack"):
        outcomes.append(one)
        print(f"{len(outcomes):3}/{given.runs} {one.fault}: {'DIFFERENT' if one.notes else 'clean'}, accepted "
              f"{one.accepted}, {dict(one.rows)}, settled after {one.recovery:.1f} s (seed {one.seed})", flush=True)  # fmt: skip
        for note in one.notes[:6]:
            print(f"      {note.splitlines()[0][:250]}", flush=True)
    print(f"\n{given.backend}, seed {given.seed}\n\n{table(outcomes)}")
    clean = bool(outcomes) and not any(one.notes for one in outcomes)
    if clean:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"\nlogs: {folder}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
