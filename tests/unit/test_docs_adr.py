"""Every decision in docs/adr has a number of its own, the same in its file's name and in its heading."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs" / "adr").glob("*.md"))


def test_no_two_decisions_have_one_number() -> None:
    counts = Counter(page.name[:4] for page in PAGES)
    assert [number for number, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_heading_has_the_number_of_the_file(page: Path) -> None:
    assert re.match(rf"# {int(page.name[:4])}\. \S", page.read_text())
