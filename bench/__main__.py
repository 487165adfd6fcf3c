"""Measure: `python -m bench [SCENARIO …] [--rounds 3] [--seed 1] [--side NAME] [--pilot]`."""

from __future__ import annotations

from bench import (
    avalanche,
    batch,
    broadcast,
    burst,
    due,
    erasure,
    growth,
    hang,
    idle,
    jitter,
    latency,
    mail,
    purge,
    python_api,
    queues,
    scheduled,
    slow,
    sql,
    storm,
    through,
)
from bench.run import options, run_all
from bench.scenario import Scenario

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (
        latency, burst, batch, python_api, broadcast, due, idle, through, queues, storm, sql, growth,
        scheduled, purge, erasure, mail, hang, slow, jitter, avalanche,
    )
}  # fmt: skip


def main() -> None:
    """Measure the named scenarios, or all of them."""
    parser = options(__doc__)
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    given = parser.parse_args()
    if unknown := set(given.scenario) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; known are {', '.join(SCENARIOS)}")
    run_all((SCENARIOS[name] for name in given.scenario or SCENARIOS), given)


if __name__ == "__main__":
    main()
