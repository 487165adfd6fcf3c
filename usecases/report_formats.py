"""A report's rows as a table for the terminal, as JSON, or as CSV."""

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TextIO

from notifier.core.text_output import printable, shown, terminal_json, write_csv

Row = Mapping[str, Any]

WIDTH = 10  # characters of a bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
SCREEN = 1_000  # rows whose widths are measured together


def as_json(rows: Iterable[Row], out: TextIO) -> None:
    """Write one JSON array, with a row on each line."""
    out.write("[")
    lines = (terminal_json(json.dumps(row, ensure_ascii=False)) for row in rows)
    out.writelines(("," if place else "") + "\n" + line for place, line in enumerate(lines))
    out.write("\n]\n")


def as_table(columns: Sequence[str], rows: Iterable[Row], out: TextIO) -> None:
    """Write aligned columns; a bar shows the share of sent notifications that is delivered."""
    rest = iter(rows)
    bars = {"sent", "delivered"} <= set(columns)
    blocks = (getattr(out, "encoding", None) or "").lower().replace("-", "") == "utf8"
    head = True
    while some := list(islice(rest, SCREEN)):
        cells = [[printable(shown(row[column], "-")) for column in columns] for row in some]
        numbers = [all(isinstance(row[column], int | None) for row in some) for column in columns]
        if bars:
            for row, texts in zip(some, cells, strict=True):
                texts.append(bar(row["delivered"], row["sent"], blocks=blocks))
        aligned = _aligned([*columns, "share"] if bars else columns, cells, numbers, head=head)
        out.writelines(line + "\n" for line in aligned)
        head = False
    if head:
        out.write("no rows\n")


def bar(part: int, whole: int, *, blocks: bool = True) -> str:
    """Return `part` of `whole` as a bar and a percentage, rounded down: 100% means all."""
    if not whole:
        return ""
    full, eighths = divmod(WIDTH * 8 * part // whole, 8)
    drawn = "█" * full + EIGHTHS[eighths].strip() if blocks else "#" * full
    return f"{drawn:<{WIDTH}} {100 * part // whole:>3}%"


def _aligned(
    columns: Sequence[str], cells: Sequence[Sequence[str]], numbers: Sequence[bool], *, head: bool
) -> Iterator[str]:
    lines = [columns, *cells] if head else cells
    widths = [max(_width(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    for line in lines:
        padded = [
            " " * (width - _width(cell)) + cell
            if place < len(numbers) and numbers[place]
            else cell + " " * (width - _width(cell))
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        yield "  ".join(padded).rstrip()


def _width(text: str) -> int:
    """Return the width of a text in columns of a terminal."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def write(form: str, columns: Sequence[str], rows: Iterable[Row], out: TextIO = sys.stdout) -> None:
    """Write `rows` as `form`: `table`, `json` (rows that are plain JSON already) or `csv`."""
    if form == "json":
        as_json(rows, out)
    else:
        (write_csv if form == "csv" else as_table)(columns, rows, out)
