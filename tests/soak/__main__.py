"""`python -m tests.soak`: soak for a quarter of an hour, print the table, exit non-zero on any breach or growth."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.harness import backends
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import running_site
from tests.soak import samples
from tests.soak.run import Size, Soaked, soak


def report(done: Soaked) -> Iterator[str]:
    """Yield the lines of the result, as Markdown."""
    delays = sorted(done.delays) or [0.0]
    p50, p99 = (delays[min(len(delays) - 1, int(len(delays) * part))] * 1000 for part in (0.5, 0.99))
    yield (
        f"accepted {done.accepted}, visits {done.visits}, acks behind at most {done.behind:.2f} s, "
        f"acceptance to arrival p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {delays[-1] * 1000:.0f} ms"
    )
    yield "\n| what | second quarter | last quarter |\n| --- | ---: | ---: |"
    units = {"memory": "MiB of", "handles": "handles of", "rows": "rows of"}
    for kind, name, early, late in samples.middles(done.samples):
        yield f"| {units[kind]} {name} | {early:.0f} | {late:.0f} |"


def main() -> int:
    """Parse the command line and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--backend", choices=backends.KINDS, default="production")
    parser.add_argument("--seed", type=int, default=1)
    for field in dataclasses.fields(Size):
        parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    given = vars(parser.parse_args())
    kind, seed = given.pop("backend"), given.pop("seed")
    rabbit = SharedRabbit() if kind == "production" else None
    with tempfile.TemporaryDirectory(prefix="live-soak-") as folder:
        place = Path(folder)
        with (
            backends.open_backend(kind, place / "var", rabbit) as backend,
            running_site(backend, place) as site,
        ):
            done = asyncio.run(soak(site, Size(**given), seed))
    if rabbit is not None:
        rabbit.close()
    print("\n".join(report(done)))
    wrong = [*done.breaches, *samples.grown(done.samples)]
    print("\n".join(["", *wrong] if wrong else ["", "clean"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
