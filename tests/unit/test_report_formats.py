"""A report's rows as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from usecases.report_formats import bar, write

COLUMNS = ("day", "type", "sent", "delivered", "p50_ms")
ROWS: list[dict[str, Any]] = [
    {"day": date(2026, 11, 20), "type": "info", "sent": 200, "delivered": 199, "p50_ms": 58},
    {"day": date(2026, 11, 20), "type": None, "sent": 4, "delivered": 1, "p50_ms": None},
]


class Terminal(io.StringIO):
    """An output that is a terminal."""

    encoding = "utf-8"


def written(form: str, columns: tuple[str, ...] = COLUMNS, rows: list[dict[str, Any]] = ROWS) -> str:
    out = Terminal(newline="")
    write(form, columns, rows, out)
    return out.getvalue()


def test_a_table_aligns_numbers_and_draws_the_share_that_is_delivered() -> None:
    assert written("table").splitlines() == [
        "day         type  sent  delivered  p50_ms  share",
        "2026-11-20  info   200        199      58  █████████▉  99%",
        "2026-11-20  -        4          1       -  ██▌         25%",
    ]


def test_an_empty_table_says_so() -> None:
    assert written("table", rows=[]) == "no rows\n"


def test_a_table_escapes_control_characters_and_counts_wide_ones_twice() -> None:
    rows = [{"user_id": "\x1b[31mred", "lag": 1}, {"user_id": "日本", "lag": 12}]
    assert written("table", ("user_id", "lag"), rows).splitlines() == [
        "user_id   lag", "\N{REPLACEMENT CHARACTER}[31mred    1", "日本       12",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "whole", "drawn"),
    [
        (0, 0, ""), (0, 7, "             0%"), (7, 7, "██████████ 100%"), (999, 1_000, "█████████▉  99%"),
    ],
)  # fmt: skip
def test_a_bar_is_full_only_for_all_of_it(part: int, whole: int, drawn: str) -> None:
    assert bar(part, whole) == drawn


def test_a_bar_needs_no_block_signs() -> None:
    assert bar(1, 2, blocks=False) == "#####       50%"


def test_csv_has_names_iso_times_and_empty_fields() -> None:
    at = datetime(2026, 11, 20, 1, 2, 3, 456_789, UTC)
    text = written("csv", ("user_id", "at", "type"), [{"user_id": 'a,"b"\n', "at": at, "type": None}])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["user_id", "at", "type"], ['a,"b"\n', "2026-11-20T01:02:03.456Z", ""],
    ]  # fmt: skip


def test_json_is_one_array() -> None:
    rows = [{"day": "2026-11-20", "type": None}, {"day": "2026-11-21", "type": "日本"}]
    assert json.loads(written("json", rows=rows)) == rows
    assert json.loads(written("json", rows=[])) == []
