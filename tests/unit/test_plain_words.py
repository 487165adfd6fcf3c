"""Words that this project replaced stay out of its pages and its code.

Each pattern names what to write instead. Names in code are read as words too (`test_it_is_made_again`).
Code and addresses in Markdown (blocks, words in backticks, targets of links) are not looked at.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]

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
        words = line.replace("_", " ") if name.endswith(".py") else line
        for word, pattern in PATTERNS.items():
            if pattern.search(words):
                found.setdefault(word, []).append(f"{name}:{number}: {line.strip()[:100]}")
    return found


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
        ("def test_a_connection_is_made_anew() -> None:", "anew"),
    ],
)
def test_a_word_is_found(line: str, word: str) -> None:
    assert word in found_in("page.py", line)


@pytest.mark.parametrize(
    "line",
    [
        "There is no gap, and there are no more pages.",
        "It is no longer needed. It understands a string, and stores the history.",
        "The file broker moves them into a folder (`rejected`).",
        "```python\nring()\n```",
    ],
)
def test_ordinary_words_are_not(line: str) -> None:
    assert found_in("page.md", line) == {}


# ---------------------------------------------------------------------- the repository


def test_no_page_and_no_code_has_such_a_word() -> None:
    wrong = [
        f"{place}   [{word}: write {WORDS[word][1]}]"
        for name in files()
        for word, places in found_in(name, (REPO / name).read_text()).items()
        for place in places
    ]
    assert not wrong, "\n" + "\n".join(wrong)
