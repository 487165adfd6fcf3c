"""Write docs/benchmarks.md and its plots from bench/results: `python -m bench.report`.

bench/findings.md (what was tried, and what limits the results) is written by hand and appended.
bench/peers/promises.md (what each pipeline promises) follows the goals. `--results DIR`
and `--docs DIR` read and write elsewhere.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.__main__ import SCENARIOS
from bench.plot import Bar, bars
from bench.run import RESULTS, ROOT
from bench.scenario import Metric, Scenario
from bench.sides import TITLES

Result = dict[str, Any]
FINDINGS = ROOT / "bench" / "findings.md"
PROMISES = ROOT / "bench" / "peers" / "promises.md"
INTRODUCTION = """\
# Benchmarks

`make bench` measures all scenarios, `make bench SCENARIO=burst` one of them; `python -m bench.report` writes
this page from `bench/results`. A time depends on the machine, so no test asserts one. Compare the sides
instead: each is measured in turn in the same run, {rounds}. The figures are medians, with the range of the
rounds in brackets.

{machine}

The servers, all processes and the load generator share these cores. The load generator is a separate
process; `bench/load/__init__.py` says how it is kept light, and each scenario says how much processor time it
took. The peers are set up as their own documentation says; the README of each in `bench/peers` names those
pages, and says what gives the peer an advantage.
"""


def main() -> None:
    """Write the page and the plots, when there are results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    given = parser.parse_args()
    results = {path.stem: json.loads(path.read_text()) for path in sorted(given.results.glob("*.json"))}
    results = {name: results[name] for name in SCENARIOS if name in results}
    if not results:
        raise SystemExit(f"no results in {given.results}: nothing written")
    images = given.docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, result in results.items():
        (images / f"bench-{name}.svg").write_text(plot(SCENARIOS[name], result))
    page = given.docs / "benchmarks.md"
    page.write_text("\n".join(sections(results)).rstrip() + "\n")
    print(f"{page} and {len(results)} plots")


def sections(results: Mapping[str, Result]) -> Iterator[str]:
    """Return the page."""
    newest = max(results.values(), key=lambda result: str(result["at"]))
    counts = sorted({result["rounds"] for result in results.values()})
    rounds = " or ".join(map(str, counts)) + (" round" if counts == [1] else " rounds")
    yield INTRODUCTION.format(rounds=rounds, machine=machine(newest))
    yield goals(results)
    yield PROMISES.read_text()
    for name, result in results.items():
        yield section(SCENARIOS[name], result)
    if missing := [name for name in SCENARIOS if name not in results]:
        yield f"Not measured: {', '.join(missing)}.\n"
    if FINDINGS.is_file():
        yield FINDINGS.read_text()


def machine(result: Result) -> str:
    """Return the machine and the versions, as a paragraph."""
    on, versions = result["machine"], result["versions"]
    names = [f"{name} {number}" for name, number in versions.items() if name != "peers" and number]
    place = f"{on['processor']}, {on['cores']} cores, {on['memory_gib']} GiB, {on['system']}"
    rest = "Each result file has the commit, the seed, the sizes and the peers' versions."
    return "\n".join(textwrap.wrap(f"{place}. {', '.join(names)}. {rest}", 110, break_on_hyphens=False))


def goals(results: Mapping[str, Result]) -> str:
    """Return the table of goals."""
    lines = [
        "## Goals",
        "",
        "| scenario | figure | goal | measured | reached |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, result in results.items():
        scenario = SCENARIOS[name]
        ours, peers = medians(scenario, result)
        for metric in scenario.metrics:
            if metric.goal is None or metric.key not in ours:
                continue
            others = {side: values[metric.key] for side, values in peers.items() if metric.key in values}
            reached = metric.goal.reached(ours[metric.key], others)
            verdict = {True: "yes", False: "**no**", None: "not comparable"}[reached]
            measured = quantity(ours[metric.key], metric.unit)
            link = f"[{scenario.title}](#{anchor(scenario.title)})"
            lines.append(f"| {link} | {metric.title} | {metric.goal.text} | {measured} | {verdict} |")
    return "\n".join([*lines, ""])


def section(scenario: Scenario, result: Result) -> str:
    """Return the section of one scenario."""
    metrics = [metric for metric in scenario.metrics if any(metric.key in m for m in _all(result))]
    lines = [
        f"## {scenario.title}", "", *textwrap.wrap(scenario.about, 110), "",
        f"![{scenario.title}](images/bench-{scenario.name}.svg)", "",
        "| | " + " | ".join(metric.title for metric in metrics) + " |",
        "| --- |" + " ---: |" * len(metrics),
    ]  # fmt: skip
    for name in scenario.sides:
        if name in result["sides"]:
            cells = " | ".join(cell(metric, result["sides"][name]) for metric in metrics)
            lines.append(f"| {TITLES[name]} | {cells} |")
    lines += ["", *remarks(result, metrics), ""]
    return "\n".join(lines)


def remarks(result: Result, metrics: Sequence[Metric]) -> Iterator[str]:
    """Return ratios, skipped sides, the load generator's cost, and the machine."""
    first = metrics[0]
    ratios = [
        f"{values[first.key]:g} times {TITLES[name]}'s"
        for name, values in result["ratios"].items()
        if first.key in values
    ]
    if ratios:
        yield f"Our {first.title}: {', '.join(ratios)}."
    for name, why in result["skipped"].items():
        yield f"Skipped: {TITLES[name]} ({why})."
    loads = [
        v["load_cpu_s"] for side in result["sides"].values() for v in side["rounds"] if "load_cpu_s" in v
    ]
    if loads:
        took = f"{min(loads):g} to {max(loads):g}" if min(loads) < max(loads) else f"{loads[0]:g}"
        yield f"The load generator took {took} s of the processor for a round."
    sizes = ", ".join(f"{name} {number:g}" for name, number in result["sizes"].items())
    rounds = f"{result['rounds']} round{'s' if result['rounds'] > 1 else ''}"
    pilot = " **A pilot at small sizes, no measurement.**" if result["pilot"] else ""
    busy = f"load average {result['machine']['load_average'][0]:g} before"
    of = f"seed {result['seed']}, {result['at'][:10]}, commit {result['commit']}"
    yield f"({sizes}; {rounds}, {busy}, {of}.){pilot}"


def plot(scenario: Scenario, result: Result) -> str:
    """Plot the first metric of each side, or all metrics of one unit when there is one side."""
    first = scenario.metrics[0]
    if len(result["sides"]) > 1:
        unit = f" ({first.unit})" if first.unit else ""
        rows = [bar(TITLES[name], first, side, name == scenario.sides[0])
                for name, side in result["sides"].items() if first.key in side["median"]]  # fmt: skip
        better = "less is better" if first.less else "more is better"
        return bars(f"{scenario.title}: {first.title}{unit}; {better}", rows)
    (side,) = result["sides"].values()
    same = [
        metric for metric in scenario.metrics if metric.unit == first.unit and metric.key in side["median"]
    ]
    return bars(
        f"{scenario.title} ({first.unit})", [bar(metric.title, metric, side, ours=True) for metric in same]
    )


def bar(label: str, metric: Metric, side: Result, ours: bool) -> Bar:
    """Return the bar of a side's metric."""
    rounds = [values[metric.key] for values in side["rounds"]]
    value = side["median"][metric.key]
    return Bar(label, value, min(rounds), max(rounds), quantity(value, metric.unit), ours)


def cell(metric: Metric, side: Result) -> str:
    """Return the median, with the range in brackets when there is one."""
    if metric.key not in side["median"]:
        return ""
    rounds = [values[metric.key] for values in side["rounds"]]
    shown = quantity(side["median"][metric.key], metric.unit)
    low, high = number(min(rounds)), number(max(rounds))
    return shown if low == high else f"{shown} ({low} to {high})"


def medians(scenario: Scenario, result: Result) -> tuple[Result, dict[str, Result]]:
    """Return our medians, and those of the peers of the same run."""
    all_sides = {name: side["median"] for name, side in result["sides"].items()}
    ours = all_sides.pop(scenario.sides[0], {})
    return ours, {name: values for name, values in all_sides.items() if name != "embedded"}


def quantity(value: float, unit: str) -> str:
    """Return a figure with its unit."""
    space = "" if unit.startswith("/") or not unit else " "
    return f"{number(value)}{space}{unit}"


def number(value: float) -> str:
    """Return three significant digits; a whole number above a hundred."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def anchor(title: str) -> str:
    """Return the anchor of a heading."""
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")


def _all(result: Result) -> list[Result]:
    return [side["median"] for side in result["sides"].values()]


if __name__ == "__main__":
    main()
