"""The crash matrix notices a process that logs too much, and lines of one kind that are not counted together."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.log_volume import LogVolume, excesses, kind, per_second

LINE = "2026-11-27 23:24:{second:02},{number:03} {level} web.hub {text}"


def lines(count: int, text: str, *, level: str = "INFO", second: int = 0) -> list[str]:
    return [
        LINE.format(second=second, number=number, level=level, text=text.format(number))
        for number in range(count)
    ]


def test_twenty_lines_in_a_second_are_allowed_and_one_more_is_not() -> None:
    assert list(excesses(lines(20, "hello: socket={}"))) == []
    (excess,) = excesses(lines(21, "hello: socket={}"))
    assert excess.startswith("21 lines at 2026-11-27 23:24:00, the first:")


def test_the_lines_of_a_traceback_count_in_its_second() -> None:
    said = [*lines(1, "failed", level="ERROR"), *["  File ..."] * 30, *lines(3, "hello", second=1)]
    assert per_second(said) == {"2026-11-27 23:24:00": 31, "2026-11-27 23:24:01": 3}


def test_what_a_process_prints_before_its_first_line_does_not_count() -> None:
    assert list(excesses(["banner"] * 40)) == []
    again = [
        " -------------- pool@host v5.7.0 (collider)",
        *["banner"] * 40,
    ]  # a worker that was started again
    said = [*lines(1, "killed", level="ERROR"), *again, *lines(1, "ready", second=9)]
    assert per_second(said) == {"2026-11-27 23:24:00": 1, "2026-11-27 23:24:09": 1}


def test_a_warning_that_repeats_itself_within_a_second_is_too_much() -> None:
    said = lines(5, "put off: user={} error=(psycopg.Error) away", level="WARNING")
    (excess,) = excesses(said)
    assert excess.startswith("5 times at 2026-11-27 23:24:00")
    assert list(excesses(lines(5, "hello: user={}"))) == []


def test_lines_of_one_kind_have_other_values_and_counts() -> None:
    first, second = lines(2, "put off: user={} (and 3 more like this)", level="WARNING")
    assert kind(first) == kind(second)
    assert kind(first) != kind(lines(1, "given up: user={}", level="WARNING")[0])


def test_only_what_was_added_counts(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("\n".join(lines(50, "old")) + "\n")
    volume = LogVolume([log, tmp_path / "never.log"])
    assert (volume.most(), list(volume.excesses())) == (0, [])
    with log.open("a") as file:
        file.write("\n".join(lines(21, "new")))
    assert volume.most() == 21
    assert len(list(volume.excesses())) == 1
