"""Words that this project replaced stay out of its pages and its code.

Each pattern names what to write instead. A file that still has one is listed in
`tests/data/plain_words_left.json` with the patterns that it may keep for now: the list only gets
shorter. `python -m tests.unit.test_plain_words` removes from it what is mended. Code and
addresses in Markdown (blocks, words in backticks, targets of links) are not looked at.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
LEFT = REPO / "tests" / "data" / "plain_words_left.json"

#: name -> (what must not be there, in any case; what to write instead)
WORDS: dict[str, tuple[str, str]] = {
    "anew": (r"\banew\b", "again"),
    "books": (r"\bthe books\b", "check every accepted notification"),
    "closing days": (r"\bclos(?:ing|e[sd]?) (?:of )?(?:the )?days?\b", "daily rollup"),
    "doors": (r"\bdoors\b", "layers, imports"),
    "good no more": (r"\bgood no more\b", "not valid any more"),
    "in one go": (r"\bin one go\b", "in one statement, every 250 ms, together"),
    "is no": (r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|such\b)[a-z]", "is not a"),
    "misfit": (r"\bmisfits?\b", "violation"),
    "nobody's": (r"\bnobody's", "private, no other process's"),
    "parked": (r"\bparked\b", "rejected, stored"),
    "ring": (r"\b(?:doorbells?|ring(?:s|ing|er|ers)?|rung)\b", "wake-up, wake, waker"),
    "so long": (r"\bso long\b", "timeout, that time"),
    "stands": (r"\bstands\b(?! for| still)|\bas (?:it|they) stands?\b", "is, is written, as it is"),
    "story": (r"\bstor(?:y|ies)\b", "timeline"),
    "whoever": (r"\bwho(?:so)?ever\b|\bwhomever\b", "anybody who, a caller that"),
    "wish": (r"\bwish(?:es)?\b", "request, effect"),
}
PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, (pattern, _) in WORDS.items()}

READ = (".md", ".py", ".yml", ".yaml", ".toml", ".js", ".mjs", ".ts", ".tsx", ".html", ".mako", "Makefile")
#: Written by a tool, by others, or about these words.
PASSED_OVER = re.compile(
    r"^(client/bundle/|web/dashboard/vendor/|tests/data/|docs/licences\.md|tests/unit/test_plain_words\.py)"
)


def files() -> list[str]:
    """The files of the repository that people read."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPO, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split("\n")
    return [
        name
        for name in listed
        if name.endswith(READ) and not PASSED_OVER.match(name) and (REPO / name).exists()
    ]


def prose(name: str, text: str) -> str:
    """The text without Markdown's code and addresses; its lines keep their numbers."""
    if not name.endswith(".md"):
        return text
    text = re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|(?<=\])\([^)\s]*\)", "``", text)


def found_in(name: str, text: str) -> dict[str, list[str]]:
    """The names of the patterns that are in the text, each with its places."""
    found: dict[str, list[str]] = {}
    for number, line in enumerate(prose(name, text).split("\n"), start=1):
        for word, pattern in PATTERNS.items():
            if pattern.search(line):
                found.setdefault(word, []).append(f"{name}:{number}: {line.strip()[:100]}")
    return found


@cache
def found() -> dict[str, dict[str, list[str]]]:
    """All that is in the repository, by file."""
    everything = {name: found_in(name, (REPO / name).read_text()) for name in files()}
    return {name: words for name, words in everything.items() if words}


def left() -> dict[str, list[str]]:
    """The patterns that a file may keep for now."""
    loaded: dict[str, list[str]] = json.loads(LEFT.read_text())
    return loaded


# ---------------------------------------------------------------------- the patterns


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("It is made anew.", "anew"),
        ("Tokens issued before `at` are good no more.", "good no more"),
        ("what is no page allows nothing", "is no"),
        ("Whoever has it can speak for every user.", "whoever"),
        ("What it means stands in the contract.", "stands"),
        ("They run as they stand.", "stands"),
        ("The task is only a doorbell: it rings.", "ring"),
        ("One notification's story", "story"),
        ("the doors between the rooms", "doors"),
    ],
)
def test_a_word_is_found(line: str, word: str) -> None:
    assert word in found_in("page.md", line)


@pytest.mark.parametrize(
    "line",
    [
        "There is no gap, and there are no more pages.",
        "It is no longer needed. It understands a string, and stores the history.",
        "The file broker moves them into a folder (`parked`).",
        "```python\nring()\n```",
    ],
)
def test_ordinary_words_are_not(line: str) -> None:
    assert found_in("page.md", line) == {}


# ---------------------------------------------------------------------- the repository


def test_no_page_and_no_code_has_such_a_word() -> None:
    wrong = [
        f"{place}   [{word}: write {WORDS[word][1]}]"
        for name, words in found().items()
        for word, places in words.items()
        if word not in left().get(name, ())
        for place in places
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_what_is_mended_is_on_the_list_no_longer() -> None:
    mended = {
        name: gone
        for name, words in left().items()
        if (gone := sorted(set(words) - set(found().get(name, ()))))
    }
    if mended and not os.environ.get("CI"):
        pytest.skip(f"run python -m tests.unit.test_plain_words: {mended}")
    assert mended == {}


def shorten() -> None:
    """Remove from the list what is mended."""
    kept = {name: [word for word in words if word in found().get(name, ())] for name, words in left().items()}
    LEFT.write_text(json.dumps({name: words for name, words in kept.items() if words}, indent=1) + "\n")


if __name__ == "__main__":
    shorten()
