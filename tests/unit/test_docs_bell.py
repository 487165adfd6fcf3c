"""docs/client.md and the demo's page of the bell's look list every custom property and part of the bell, and no others."""

from __future__ import annotations

import re
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CODE = "\n".join(path.read_text("utf-8") for path in sorted((REPO / "client").glob("bell*.js")))
DOCS = (REPO / "docs" / "client.md").read_text("utf-8")
DEMO = (REPO / "examples" / "shop" / "theme.js").read_text("utf-8")


def parts_of_the_code() -> set[str]:
    """Every name in a part attribute; `tool(name, …)` makes a button whose part is its first argument."""
    found = re.findall(r'part: (?:i \? )?"([^"]+)"', CODE) + re.findall(r'\btool\("(\w+)"', CODE)
    return {name for names in found for name in names.split()} | {"action"}


def parts_of_the_docs() -> set[str]:
    listed = re.search(r"^Parts: `([^`]+)`", DOCS, re.MULTILINE)
    assert listed
    return set(listed[1].split())


def test_the_parts_in_the_docs_are_in_the_bell() -> None:
    missing = parts_of_the_docs() - parts_of_the_code()
    assert missing == {"tool"}, "tool is written with a name beside it"


def test_the_parts_of_the_bell_are_in_the_docs() -> None:
    names_of_tools = {"checks", "settings", "close", "back"}
    assert parts_of_the_code() - parts_of_the_docs() <= names_of_tools


def test_the_demo_shows_the_parts_of_the_docs() -> None:
    listed = re.search(r"PARTS = `([^`]+)`", DEMO)
    assert listed
    assert set(listed[1].split()) == parts_of_the_docs()


def test_the_custom_properties_are_the_same_everywhere() -> None:
    used = set(re.findall(r"var\(--bell-([a-z-]+)", CODE))
    told = set(re.findall(r"`--bell-([a-z-]+)`", DOCS))
    shown = set(
        re.findall(r'"?([a-z-]+)"?: "', DEMO.partition("const COLOURS")[2].partition("const PARTS")[0])
    )
    assert used == told == shown
