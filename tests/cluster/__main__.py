"""`python -m tests.cluster`: kill each node and each gateway in turn; exit non-zero on any breach."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import PATIENCE_SECONDS, Outcome
from tests.cluster.campaign import PARTS, Death, campaign
from tests.cluster.stack import ClusterStack

HEAD = """\
| killed | accepted | delivered | calls repeated | sockets lost | longest without a socket | latest alert \
| caught up without it | breaches |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def row(death: Death) -> str:
    """Return a death as a line of the table."""
    apart = f"{max(death.apart):.2f} s" if death.apart else "-"
    return (
        f"| {death.part} | {death.accepted} | {death.delivered} | {death.repeated} | {len(death.apart)} "
        f"| {apart} | {death.late:.2f} s | {death.caught_up:.2f} s | {death.breaches} |"
    )


def order(rounds: int, seed: int) -> list[str]:
    """Return every part once, by number; in further rounds in random orders."""
    rng = random.Random(seed)
    return [*PARTS, *(part for _ in range(rounds - 1) for part in rng.sample(PARTS, len(PARTS)))]


def main() -> int:
    """Parse the command line and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="how often each part is killed")
    parser.add_argument(
        "--queue", choices=("quorum", "classic"), default="quorum", help="the task queue's type"
    )
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, help="seconds to recover in")
    parser.add_argument("--keep", action="store_true", help="keep the logs")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="live-cluster-"))
    stack = ClusterStack(folder / "stack", given.queue)
    try:
        print("starting three nodes, three gateways, two workers, PostgreSQL and nginx", flush=True)
        stack.start()
        print(HEAD, flush=True)
        outcome = asyncio.run(
            campaign(
                stack,
                order(given.rounds, given.seed),
                given.seed,
                lambda death: print(row(death), flush=True),
                given.patience,
            )
        )
    finally:
        stack.stop()
    print(f"\n{verdict(outcome)}")
    if outcome.clean and not given.keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs: {folder}")
    return 0 if outcome.clean and outcome.accepted else 1


def verdict(outcome: Outcome) -> str:
    """Return what the checks at the end found."""
    if outcome.clean:
        return (
            f"clean: {outcome.accepted} accepted, {outcome.events} events delivered, every client has each "
            f"once and in order, `notifier verify` has no objection (seed {outcome.seed})"
        )
    shown = [f"  {note.splitlines()[0][:200]}" for note in outcome.notes]
    return "\n".join([f"NOT CLEAN: {dict(outcome.breaches)}", *shown])


if __name__ == "__main__":
    sys.exit(main())
