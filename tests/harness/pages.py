"""The code blocks of the documentation, for tests that run them."""

from __future__ import annotations

import re

from tests.harness.processes import REPO


def blocks(page: str, language: str, section: str = "") -> list[str]:
    """Return the code blocks of a page in one language; with `section`, only those below that heading."""
    text = (REPO / page).read_text()
    if section:
        found = re.search(rf"^(#+) {re.escape(section)}\n(.*?)(?=^\1 |\Z)", text, re.MULTILINE | re.DOTALL)
        assert found, f"{page} has no section {section!r}"
        text = found[2]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
