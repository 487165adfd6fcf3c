"""What became of a channel's row, in words: each state's sentence says everything once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.core.reach import QUIET, State
from notifier.core.reach_words import Reached, sentence

DUE = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)
MORNING = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)
ROW = Reached("email", State.WAITING, None, DUE, DUE, None, 0, None)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW, "By email: waits, until 2026-11-27 21:30:00 UTC."),
        (
            replace(ROW, next_at=MORNING),
            "By email: waits for the end of quiet hours or of a pause, until 2026-11-28 07:00:00 UTC.",
        ),
        (
            replace(ROW, next_at=MORNING, reason=QUIET),
            "By email: waits for the end of quiet hours or of a pause, until 2026-11-28 07:00:00 UTC.",
        ),
        (
            replace(ROW, next_at=MORNING, reason=QUIET, attempts=1),
            (
                "By email: waits for the end of quiet hours or of a pause, until 2026-11-28 07:00:00 UTC"
                " after 1 attempts."
            ),
        ),
        (
            replace(ROW, next_at=DUE + timedelta(minutes=1), attempts=2, reason="450 busy"),
            "By email: waits, until 2026-11-27 21:31:00 UTC after 2 attempts (450 busy).",
        ),
        (
            replace(ROW, digest="daily", next_at=MORNING),
            "By email: waits, for the daily digest at 2026-11-28 07:00:00 UTC.",
        ),
        (replace(ROW, state=State.SENT, attempts=1), "By email: sent."),
        (replace(ROW, state=State.SENT, attempts=3), "By email: sent, attempt 3."),
        (
            replace(ROW, state=State.GONE, reason="550 5.1.1"),
            "By email: the address is no longer there (550 5.1.1).",
        ),
    ],
)
def test_each_state_says_everything_once(row: Reached, said: str) -> None:
    assert sentence(row) == said


def test_every_state_has_a_sentence() -> None:
    for state in State:
        assert sentence(replace(ROW, state=state, attempts=1, reason="why")).startswith("By email: ")
