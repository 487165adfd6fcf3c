"""Run rounds of every side in turn, take medians, and write a file with everything that was measured."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import signal
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.load.apart import raise_handles
from bench.machine import commit, machine, versions
from bench.peers.install import Missing
from bench.scenario import Scenario, Values

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
PILOTS = ROOT / "var" / "bench"  # untracked
ROUNDS = 3


def run(
    scenario: Scenario,
    *,
    rounds: int,
    seed: int,
    pilot: bool,
    only: Sequence[str] = (),
    other: Mapping[str, int] | None = None,
) -> Path:
    """Measure a scenario; return the file with its results. With `other` sizes it is a pilot."""
    began, place = time.monotonic(), machine()
    sizes = {**(scenario.pilot if pilot else scenario.full), **(other or {})}
    pilot = pilot or bool(other) or bool(only)
    print(f"{scenario.name}: {scenario.title}{' (pilot sizes)' if pilot else ''}", flush=True)
    sides = [name for name in scenario.sides if not only or name in only]
    prepare = scenario.prepare(seed=seed, **sizes) if scenario.prepare else nullcontext(None)
    with prepare as given:
        if scenario.prepare:
            sizes["given"] = given
        measured, skipped = _rounds(scenario, sides, rounds, seed, sizes)
    sizes.pop("given", None)
    medians = {name: middle(values) for name, values in measured.items()}
    result = {
        "scenario": scenario.name,
        "pilot": pilot,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "seed": seed,
        "rounds": rounds,
        "sizes": sizes,
        "seconds": round(time.monotonic() - began),
        "machine": place,
        "versions": versions(),
        "skipped": skipped,
        "sides": {name: {"rounds": values, "median": medians[name]} for name, values in measured.items()},
        "ratios": ratios(scenario, medians),
    }
    path = (PILOTS if pilot else RESULTS) / f"{scenario.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for name, values in medians.items():
        print(f"  {name}: {shown(scenario, values)}", flush=True)
    return path


def _rounds(
    scenario: Scenario, sides: Sequence[str], rounds: int, seed: int, sizes: Values
) -> tuple[dict[str, list[Values]], dict[str, str]]:
    """Measure each side in each round, beginning with another one each time: the first has a cold machine."""
    measured: dict[str, list[Values]] = {name: [] for name in sides}
    skipped: dict[str, str] = {}
    for number in range(rounds):
        turn = number % len(sides)
        for name in [*sides[turn:], *sides[:turn]]:
            if name in skipped:
                continue
            began = time.monotonic()
            print(f"  round {number + 1} of {rounds}, {name} …", end=" ", flush=True)
            try:
                values = scenario.measure(name, seed=seed + number, **sizes)
            except Missing as missing:
                skipped[name] = str(missing)
                print(f"skipped: {missing}", flush=True)
                continue
            except Exception as error:
                if name == scenario.sides[0]:
                    raise
                skipped[name] = f"failed in round {number + 1}: {error!r}"
                print(skipped[name], flush=True)
                continue
            measured[name].append(values)
            print(f"{shown(scenario, values)} [{time.monotonic() - began:.0f} s]", flush=True)
    return {name: values for name, values in measured.items() if values}, skipped


def middle(rounds: Sequence[Values]) -> Values:
    """Return the median of each figure that every round has."""
    keys = [key for key in rounds[0] if all(isinstance(values.get(key), int | float) for values in rounds)]
    return {key: round(median(values[key] for values in rounds), 3) for key in keys}


def ratios(scenario: Scenario, medians: dict[str, Values]) -> dict[str, dict[str, float]]:
    """Return our figures divided by those of each other side, where both have them."""
    if not medians or scenario.sides[0] not in medians:
        return {}
    ours = medians[scenario.sides[0]]
    return {
        name: {
            metric.key: round(ours[metric.key] / values[metric.key], 3)
            for metric in scenario.metrics
            if metric.key in ours and values.get(metric.key)
        }
        for name, values in medians.items()
        if name != scenario.sides[0]
    }


def shown(scenario: Scenario, values: Values) -> str:
    """Return the figures that the report shows, as a line."""
    keys = [metric.key for metric in scenario.metrics if metric.key in values]
    return ", ".join(f"{key} {values[key]:g}" for key in keys)


def options(doc: str | None) -> argparse.ArgumentParser:
    """Return the options that every scenario has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--side", action="append", default=[], help="a pilot of this side alone; may be repeated"
    )
    parser.add_argument(
        "--size",
        type=_size,
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="a pilot with this size",
    )
    parser.add_argument("--pilot", action="store_true", help="small sizes; results go to var/bench")
    return parser


def _stop(_signal: int, _frame: object) -> None:
    """Handle SIGTERM: end the load and exit in order, so that no server is left running."""
    for child in multiprocessing.active_children():
        child.terminate()
    raise SystemExit(128 + signal.SIGTERM)


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    return name, int(number)


def run_all(scenarios: Iterable[Scenario], given: argparse.Namespace) -> None:
    """Measure them one after another; if our side failed anywhere, name it at the end and exit with 1."""
    raise_handles()
    signal.signal(signal.SIGTERM, _stop)
    broken: list[str] = []
    for scenario in scenarios:
        try:
            path = run(
                scenario, rounds=given.rounds, seed=given.seed, pilot=given.pilot, only=given.side,
                other=dict(given.size),
            )  # fmt: skip
        except Exception:
            traceback.print_exc()
            broken.append(scenario.name)
            continue
        if lost(json.loads(path.read_text()), scenario.sides[0]):
            broken.append(scenario.name)
    if broken:
        raise SystemExit(f"our side failed, or broke a promise, in: {', '.join(broken)}")


def lost(result: Values, side: str) -> bool:
    """Return whether our side lost or doubled anything in any round."""
    rounds: list[dict[str, Any]] = result["sides"].get(side, {}).get("rounds", [])
    return any(values.get(key) for values in rounds for key in ("lost", "doubled", "never_returned"))


def alone(scenario: Scenario) -> None:
    """Run the command line of one scenario's module."""
    run_all([scenario], options(scenario.about).parse_args())
