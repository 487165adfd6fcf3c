"""What the soak measures again and again, and whether it stays flat."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psutil
import sqlalchemy as sa

from tests.harness import process_tree

#: What must grow, and has a purge: the log (`NOTIFIER_RETENTION_DAYS`), and records of sockets (30 days).
PURGED = {
    "notifier_notifications", "notifier_deliveries", "notifier_changes", "notifier_read_marks", "notifier_sockets",
}  # fmt: skip
GROWTH = 0.10  # from the second quarter of a run to the last one
SLACK = {"memory": 8.0, "handles": 8.0, "rows": 50.0}  # MiB, handles, rows: what may come and go


@dataclass
class Sample:
    """The state at one moment: of each process memory (MiB) and handles, of each table its rows."""

    memory: dict[str, float] = field(default_factory=dict)
    handles: dict[str, float] = field(default_factory=dict)
    rows: dict[str, float] = field(default_factory=dict)


def take(root: int, connection: sa.Connection, tables: Iterable[str]) -> Sample:
    """Return a sample of the processes below `root`, and of the tables."""
    sample = Sample()
    for process in process_tree.tree(root):
        try:
            name = f"{_name(process)} {process.pid}"
            sample.memory[name] = process.memory_full_info().uss / 2**20
            sample.handles[name] = process.num_fds()
        except psutil.Error:
            continue  # it has just ended
    for table in tables:
        sample.rows[table] = connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) or 0
    return sample


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    for known in ("worker", "web"):
        if known in words:
            return known
    return "notifier"


def tables(connection: sa.Connection) -> list[str]:
    """Return the names of our tables, except partitions and views."""
    return sorted(name for name in sa.inspect(connection).get_table_names() if name.startswith("notifier_"))


def middles(samples: Sequence[Sample]) -> Iterator[tuple[str, str, float, float]]:
    """Yield each figure's kind and name, with its median in the second and in the last quarter of the run."""
    quarter = max(1, len(samples) // 4)
    for kind in SLACK:
        early = _medians(getattr(one, kind) for one in samples[quarter : 2 * quarter])
        late = _medians(getattr(one, kind) for one in samples[-quarter:])
        for name in sorted(early.keys() | late.keys()):
            yield kind, name, early.get(name, 0.0), late.get(name, 0.0)


def grown(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield what grew and must not."""
    for kind, name, early, late in middles(samples):
        if name not in PURGED and late > early * (1 + GROWTH) + SLACK[kind]:
            yield f"{kind} of {name}: {early:.0f} in the second quarter, {late:.0f} in the last"


def _medians(values: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for one in values:
        for name, value in one.items():
            found[name].append(value)
    return {name: statistics.median(all_) for name, all_ in found.items()}
