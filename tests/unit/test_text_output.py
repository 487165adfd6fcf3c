"""Foreign text is shown without effect: no formula, no escape sequence."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from notifier.core.text_output import csv_cell, iso_time, printable, shown, terminal_json, write_csv


@pytest.mark.parametrize(
    "sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_a_text_that_begins_like_a_formula_gets_an_apostrophe(sign: str) -> None:
    assert csv_cell(f"{sign}1+1") == f"'{sign}1+1"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("a=1", "a=1"), ("", ""), (None, ""), (-5, "-5"), (-1.5, "-1.5"), ("'=1", "'=1"),
        (date(2026, 11, 27), "2026-11-27"), (datetime(2026, 11, 27, 1, 2, 3, 4567, UTC), "2026-11-27T01:02:03.004Z"),
    ],
)  # fmt: skip
def test_everything_else_is_unchanged(value: Any, cell: str) -> None:
    assert csv_cell(value) == cell


def test_times_are_utc_with_milliseconds() -> None:
    east = timezone(timedelta(hours=2))
    assert iso_time(datetime(2026, 11, 27, 1, 0, tzinfo=east)) == "2026-11-26T23:00:00.000Z"


def test_control_characters_do_not_reach_a_terminal() -> None:
    assert printable("a\x1b[31m\x9b\u202e日本") == "a�[31m��日本"


def test_json_keeps_its_value_without_control_characters() -> None:
    values = {"title": "\x1b[31m\x9b\u202e\U000e0001\u2028 日本 é"}
    line = terminal_json(json.dumps(values, ensure_ascii=False))
    assert line.isprintable()
    assert "日本 é" in line
    assert json.loads(line) == values


def test_a_missing_value_is_shown_as_requested() -> None:
    assert (shown(None, "-"), shown(None), shown(0, "-")) == ("-", "", "0")


def test_csv_has_a_line_of_names() -> None:
    out = io.StringIO(newline="")
    write_csv(["user_id", "lag"], [{"user_id": "=cmd", "lag": -1}, {"user_id": 'a,"b', "lag": None}], out)
    assert out.getvalue() == 'user_id,lag\r\n\'=cmd,-1\r\n"a,""b",\r\n'
