"""How much each process logs: a fault must not hide itself, or anything else, in a flood of lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

LINES_PER_SECOND = 20
SAME_PER_SECOND = 4  # lines of one kind: the processes of a pool count for themselves

_STAMP = re.compile(r"^(?:\[)?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[,.]\d+")
_BANNER = re.compile(r"^ -{10,} \S+@\S+ v\d")  # the first line that Celery prints when it starts
_TROUBLE = re.compile(r"^\S+ \S+ (?:WARNING|ERROR|CRITICAL) |^\[[^]]*: (?:WARNING|ERROR|CRITICAL)/")
_VALUE = re.compile(r"=\S+|\d+|'[^']*'|\"[^\"]*\"|\([^)]*more like this\)")


class LogVolume:
    """Remembers how long each log was, and later judges what was added."""

    def __init__(self, logs: Iterable[Path]) -> None:
        self._from = {log: log.stat().st_size if log.exists() else 0 for log in logs}

    def added(self) -> dict[Path, list[str]]:
        """Return the lines that were added to each log."""
        found = {}
        for log, size in self._from.items():
            if log.exists():
                with log.open("rb") as file:
                    file.seek(size)
                    found[log] = file.read().decode(errors="replace").splitlines()
        return found

    def excesses(self) -> Iterator[str]:
        """Yield each second in which a log got too many lines, or too many of one kind."""
        for log, lines in self.added().items():
            yield from (f"{log.stem}: {excess}" for excess in excesses(lines))

    def most(self) -> int:
        """Return the most lines that one log got in one second."""
        return max(
            (count for lines in self.added().values() for count in per_second(lines).values()), default=0
        )


def stamped(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with its second; a line without a time, as in a traceback, belongs to the one before.

    What a process prints when it starts, before its first line with a time, is left out.
    """
    second = ""
    for line in lines:
        if found := _STAMP.match(line):
            second = found[1]
        elif _BANNER.match(line):
            second = ""
        if second:
            yield second, line


def per_second(lines: Iterable[str]) -> Counter[str]:
    """Return the number of lines of each second."""
    return Counter(second for second, _ in stamped(lines))


def kind(line: str) -> str:
    """Return a line without its time and its values: lines of one kind have the same."""
    return _VALUE.sub("", _STAMP.sub("", line))


def excesses(lines: list[str]) -> Iterator[str]:
    """Yield what is too much in a log."""
    for second, count in per_second(lines).items():
        if count > LINES_PER_SECOND:
            first = next(line for at, line in stamped(lines) if at == second)
            yield f"{count} lines at {second}, the first: {first[:300]}"
    same = Counter((second, kind(line)) for second, line in stamped(lines) if _TROUBLE.match(line))
    for (second, what), count in same.items():
        if count > SAME_PER_SECOND:
            yield f"{count} times at {second}: {what.strip()[:300]}"
