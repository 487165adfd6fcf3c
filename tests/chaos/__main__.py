"""`python -m tests.chaos`: run the crash matrix, print the table, exit non-zero on any breach."""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.chaos.faults import CATALOGUE
from tests.chaos.report import table
from tests.chaos.run import PATIENCE_SECONDS, Outcome, one_run
from tests.chaos.sabotage import SABOTAGES, SHOWN_BY
from tests.chaos.stack import Stack

SHOWN = 6  # breaches of a run that are printed


def plan(kind: str, runs: int, seed: int, only: list[str]) -> Iterator[tuple[str, int]]:
    """Return the fault of each run: every fault once in a random order, then again."""
    rng = random.Random(seed)
    names = [name for name in CATALOGUE[kind] if not only or any(part in name for part in only)]
    number = 0
    while names:
        rng.shuffle(names)
        for name in names:
            if number == runs:
                return
            number += 1
            yield name, seed * 10_000 + number


def matrix(
    kind: str,
    faults: Iterable[tuple[str, int]],
    folder: Path,
    sabotage: str = "",
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Outcome]:
    """Run the faults one after the other on one stack."""
    stack = Stack(kind, folder, sabotage, bad_places=True)
    try:
        stack.start()
        for name, seed in faults:
            yield asyncio.run(one_run(stack, name, CATALOGUE[kind][name], seed, patience))
    finally:
        stack.stop()


def prove(kind: str, runs: int, seed: int, patience: float) -> int:
    """Break each guarantee on purpose, and check that the matrix notices; return the exit status."""
    print("| sabotage | under the fault | caught in |\n| --- | --- | --- |", flush=True)
    missed = 0
    for sabotage, fault in SHOWN_BY.items():
        if fault not in CATALOGUE[kind]:
            print(f"| `{sabotage}` | {fault} | not on {kind} |", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="live-chaos-") as folder:
            faults = [(fault, seed * 10_000 + number) for number in range(1, runs + 1)]
            outcomes = list(matrix(kind, faults, Path(folder) / "stack", sabotage, patience))
        caught = sum(not outcome.clean for outcome in outcomes)
        missed += runs - caught
        print(f"| `{sabotage}` | {fault} | {caught} of {runs} |", flush=True)
    return 1 if missed else 0


def main() -> int:
    """Parse the command line and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=len(CATALOGUE["production"]))
    parser.add_argument("--backend", choices=sorted(CATALOGUE), default="production")
    parser.add_argument("--fault", action="append", default=[], help="only faults whose name contains this")
    parser.add_argument("--sabotage", choices=sorted(SABOTAGES), default="", help="break a guarantee first")
    parser.add_argument(
        "--prove", action="store_true", help="break each guarantee, under the fault that shows it"
    )
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="seconds to recover in")
    parser.add_argument("--list", action="store_true", help="list the faults and end")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    given = parser.parse_args()
    if given.list:
        print("\n".join(CATALOGUE[given.backend]))
        return 0
    if given.prove:
        return prove(given.backend, given.runs, given.seed, given.patience)
    folder = Path(tempfile.mkdtemp(prefix="live-chaos-"))
    outcomes: list[Outcome] = []
    begun = time.monotonic()
    faults = plan(given.backend, given.runs, given.seed, given.fault)
    for outcome in matrix(given.backend, faults, folder / "stack", given.sabotage, given.patience):
        outcomes.append(outcome)
        latest = "-" if outcome.latest is None else f"{outcome.latest:.2f} s"
        recovery = "never" if outcome.recovery is None else f"{outcome.recovery:.2f} s"
        print(
            f"{len(outcomes):3}/{given.runs} {outcome.fault}: {'clean' if outcome.clean else 'BREACH'}, "
            f"accepted {outcome.accepted}, events {outcome.events}, cuts {outcome.cuts}, "
            f"calls repeated {outcome.repeated}, recovery {recovery}, latest alert {latest}, "
            f"{outcome.log_lines} lines in a second (seed {outcome.seed})",
            flush=True,
        )
        for note in outcome.notes[:SHOWN]:
            print(f"      {note.splitlines()[0][:200]}", flush=True)
        if outcome.notes:
            notes = folder / f"breaches-{outcome.seed}.txt"
            notes.write_text("\n\n".join(outcome.notes))
            print(f"      all {len(outcome.notes)} of them: {notes}", flush=True)
    clean = all(outcome.clean for outcome in outcomes)
    print(f"\n{given.backend}, seed {given.seed}, {time.monotonic() - begun:.0f} s, "
          f"Python {platform.python_version()}"
          f"{', sabotage: ' + given.sabotage if given.sabotage else ''}\n\n{table(outcomes)}")  # fmt: skip
    if given.keep or not clean:
        print(f"\nlogs: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if clean and outcomes else 1


if __name__ == "__main__":
    sys.exit(main())
