"""Convert values to text for terminals, spreadsheets and reports. All output uses this module.

Much of it is written by users and senders, so it must not control a terminal or be a formula in a
spreadsheet.
"""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Protocol

#: Characters with which a spreadsheet's formula begins (OWASP, "CSV Injection"), with full-width variants
#: that some of them accept.
FORMULA_SIGNS = tuple("=+-@\t\r\n\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                      "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


class Writable(Protocol):
    """An output for text."""

    def write(self, text: str, /) -> object:
        """Write text."""


def iso_time(moment: datetime) -> str:
    """Return a moment as ISO 8601 in UTC with milliseconds: `2026-11-27T10:20:30.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain_time(moment: datetime) -> str:
    """Return a moment in UTC to the second, as sentences have it: `2026-11-27 10:20:30 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def printable(text: str) -> str:
    """Return `text` without control characters for a terminal: each becomes U+FFFD."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def terminal_json(text: str) -> str:
    """Return a line of JSON with control characters escaped, which does not change its value."""
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in text)


def shown(value: Any, nothing: str = "") -> str:
    """Return a value as text: a moment as `iso_time`, a day as ISO 8601, None as `nothing`."""
    if value is None:
        return nothing
    if isinstance(value, datetime):
        return iso_time(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def csv_cell(value: Any) -> str:
    """Return a value for CSV; a text that a spreadsheet would take for a formula gets an apostrophe."""
    text = shown(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA_SIGNS) else text


def write_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], out: Writable) -> None:
    """Write CSV (RFC 4180) with a line of names; None is an empty field."""
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([csv_cell(row[column]) for column in columns] for row in rows)
