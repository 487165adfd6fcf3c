"""docs/extending.md names few files for each extension, and every one of them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
SECTIONS = re.split(r"^## ", (REPO / "docs" / "extending.md").read_text(), flags=re.MULTILINE)[1:]
NEW = re.compile("NAME|NNNN")  # a file that the reader creates
MAX_FILES = 6


def files(section: str) -> list[str]:
    """The files in the section's table, in order."""
    return re.findall(r"^\| `([\w./…]+)` \|", section, re.MULTILINE)


def test_the_page_has_the_extensions_that_it_promises() -> None:
    assert [section.splitlines()[0] for section in SECTIONS] == [
        "A route",
        "An event",
        "A report column",
        "A transport",
        "A channel",
        "A policy",
    ]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_an_extension_changes_at_most_six_files(section: str) -> None:
    assert 1 <= len(files(section)) <= MAX_FILES


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0])
def test_every_file_to_change_exists(section: str) -> None:
    for file in files(section):
        where = REPO / file
        assert (where.parent if NEW.search(file) else where).exists(), file
