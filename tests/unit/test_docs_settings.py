"""docs/settings.md names every setting, with the code's defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from notifier.settings import PREFIX, Settings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
ROW = re.compile(
    rf"^\| `{PREFIX}(?P<name>\w+)` \| (?P<default>[^|]+) \| (?P<unit>[^|]+) \| (?P<meaning>.+) \|$",
    re.MULTILINE,
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def rows() -> dict[str, str]:
    return {match["name"].lower(): match["default"].strip() for match in ROW.finditer(PAGE.read_text())}


def shown(value: Any) -> str:
    if value is None or value == ():
        return "–"  # noqa: RUF001 - the page's own sign
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def test_the_page_names_every_setting_and_no_other() -> None:
    assert set(rows()) == set(Settings.model_fields)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_the_default_on_the_page_is_the_codes(name: str) -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    assert rows()[name] == shown(getattr(settings, name))
