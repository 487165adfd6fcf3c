"""The table: fault x runs x accepted x lost x doubled x out of order x recovery time x latest alert."""

from __future__ import annotations

from collections.abc import Iterable

from tests.chaos.run import Outcome

COLUMNS = ("lost", "doubled", "order", "invented")
OTHER = "other"


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as a Markdown table, a row for each fault and a sum."""
    by_fault: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_fault.setdefault(outcome.fault, []).append(outcome)
    head = ["fault", "runs", "accepted", "lost", "doubled", "out of order", "invented", "other breaches",
            "recovery, median s", "recovery, max s", "others' latest alert, s", "lines in a second"]  # fmt: skip
    lines = [_line(head), _line(["---", *["---:"] * (len(head) - 1)])]
    for fault, runs in by_fault.items():
        lines.append(_line([fault, *_cells(runs)]))
    lines.append(_line(["**all**", *_cells([run for runs in by_fault.values() for run in runs])]))
    return "\n".join(lines)


def _cells(runs: list[Outcome]) -> list[str]:
    counts = [sum(run.breaches[kind] for run in runs) for kind in COLUMNS]
    other = sum(run.breaches.total() for run in runs) - sum(counts)
    times = sorted(run.recovery for run in runs if run.recovery is not None)
    median, longest = (f"{times[len(times) // 2]:.2f}", f"{times[-1]:.2f}") if times else ("-", "-")
    latest = max((run.latest for run in runs if run.latest is not None), default=None)
    return [
        str(len(runs)),
        str(sum(run.accepted for run in runs)),
        *map(str, counts),
        str(other),
        median,
        longest,
        "-" if latest is None else f"{latest:.2f}",
        str(max(run.log_lines for run in runs)),
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
