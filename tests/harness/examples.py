"""Examples of the documentation: a command and its printed answer, run and compared in shape."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.processes import REPO

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CALL = re.compile(r'"\$NOTIFIER(?P<path>/[^?"]*)')


@dataclass(frozen=True)
class Example:
    """A block of shell commands, and the answer printed below it (`kind`: json, http or text)."""

    commands: str
    kind: str
    answer: str

    @property
    def call(self) -> tuple[str, str]:
        """Return the method and the path of its last curl."""
        last = self.commands[self.commands.rindex("curl ") :]
        found = CALL.search(last)
        assert found, last
        said = re.search(r"-X (\w+)", last)
        return said[1].lower() if said else "post" if " -d " in last else "get", found["path"]

    def run(self, env: Mapping[str, str], folder: Path) -> tuple[str, dict[str, str]]:
        """Run it in a shell; return its output, and the variables it sets."""
        left = folder / "env"
        script = f"set -a\n{self.commands}\nenv -0 >{left}"
        done = subprocess.run(
            ["/bin/sh", "-eu", "-c", script], env=env, cwd=REPO,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{self.commands}\n{done.stdout}{done.stderr}"
        return done.stdout, dict(pair.split("=", 1) for pair in left.read_text().split("\0") if pair)

    def violations(self, said: str) -> list[str]:
        """Return the differences in shape between an answer and the page's."""
        if self.kind == "json":
            return differences(json.loads(self.answer), json.loads(said))
        if self.kind == "http":
            return _http(self.answer, said)
        return [] if _plain(self.answer) == _plain(said) else [f"{self.answer!r} is now {said!r}"]


def examples(page: str) -> list[Example]:
    """Return the examples of a page that have an answer, from the top."""
    found = list(FENCED.finditer((REPO / page).read_text()))
    return [
        Example(command[2], answer[1], answer[2])
        for command, answer in itertools.pairwise(found)
        if command[1] == "sh" and answer[1] in ("json", "http", "text")
    ]


def differences(page: Any, said: Any, where: str = "") -> list[str]:
    """Return the differences of two JSON values other than scalars; null matches any scalar."""
    if isinstance(page, dict) and isinstance(said, dict):
        wrong = [f"{where}.{name}: on one side only" for name in sorted(page.keys() ^ said.keys())]
        for name in page.keys() & said.keys():
            wrong += differences(page[name], said[name], f"{where}.{name}")
        return wrong
    if isinstance(page, list) and isinstance(said, list):
        if bool(page) != bool(said):
            return [f"{where}: empty on one side only"]
        # Each element must match one of the page's: inboxes and reports have several kinds.
        return [
            f"{where}[{place}]: {min(tries, key=len)}"
            for place, one in enumerate(said)
            if all(tries := [differences(known, one) for known in page])
        ]
    if page is None or said is None:
        found = said if page is None else page
        return [f"{where}: null on one side only"] if isinstance(found, dict | list) else []
    return [] if type(page) is type(said) else [f"{where}: {page!r} is now {said!r}"]


def _http(page: str, said: str) -> list[str]:
    (status, *headers), body = _parted(page)
    (told, *others), real = _parted(said)
    names = {other.partition(":")[0].lower(): _plain(other) for other in others}
    wrong = [] if status == told else [f"{status} is now {told}"]
    for header in headers:
        pattern = re.escape(_plain(header)).replace("…", ".*")
        if not re.fullmatch(pattern, names.get(header.partition(":")[0].lower(), "")):
            wrong.append(f"no header like {header!r}")
    return wrong + differences(json.loads(body), json.loads(real))


def _parted(answer: str) -> tuple[list[str], str]:
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    return head.splitlines(), body


def _plain(text: str) -> str:
    """Return text without its ids and numbers."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    return re.sub(r"(?<=[ =])\d+(\.\d+)?(?=\s|;|$)", "N", text).strip()
