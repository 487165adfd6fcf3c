"""`python -m tests.flood`: the full size on PostgreSQL and RabbitMQ (`--backend embedded`: without)."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.flood.run import Flooded, Size, flood, settings
from tests.harness import backends, processes
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import running_site

FULL = Size(
    good=200, alerts=10, alone=20, flooded=40, pause=10, silent=2_000, heads=100, bodies=100, sockets=1_000,
    posts_per_minute=1_200,
)  # fmt: skip


def share(ordered: Sequence[float], part: float) -> float:
    """Return the time that this share of the samples does not exceed, in ms."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def table(flooded: Flooded) -> str:
    """Return a table of the good clients' times and of the attackers' results."""
    lines = [
        "| good clients | alerts | p50 ms | p95 ms | p99 ms | max ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, times in (("alone", flooded.alone), ("beside the flood", flooded.flooded)):
        cells = [f"{share(times, part):.1f}" for part in (0.5, 0.95, 0.99, 1.0)]
        lines.append(f"| {name} | {len(times)} | {' | '.join(cells)} |")
    lines += ["", "| attackers met | times |", "| --- | ---: |"]
    lines += [f"| {what} | {count} |" for what, count in sorted(flooded.outcomes.items())]
    return "\n".join(lines)


def main() -> None:
    """Flood, verify, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.flood", description=__doc__)
    parser.add_argument("--backend", choices=backends.KINDS, default="production")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count(), help="web processes; as many as cores unless given"
    )
    for field in dataclasses.fields(Size):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=type(getattr(FULL, field.name)))
    given = vars(parser.parse_args())
    kind, web = given.pop("backend"), given.pop("processes")
    size = dataclasses.replace(FULL, **{name: value for name, value in given.items() if value is not None})
    rabbit = SharedRabbit() if kind == "production" else None
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="live-flood-")))
        if rabbit is not None:
            stack.callback(rabbit.close)
        backend = stack.enter_context(backends.open_backend(kind, folder / "var", rabbit))
        backend.env.update(settings(size), NOTIFIER_WEB_PROCESSES=str(web), NOTIFIER_LOG_LEVEL="WARNING")
        site = stack.enter_context(running_site(backend, folder))
        result = asyncio.run(flood(site, size))
        done = processes.run("notifier", "verify", env=backend.env)
        assert done.returncode == 0, done.stdout + done.stderr
    print(f"{kind}, {web} web process(es), Python {platform.python_version()}\n{size}\n\n{table(result)}")


if __name__ == "__main__":
    main()
