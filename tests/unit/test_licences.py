"""docs/licences.md names the licence of everything that is locked, and none that is unknown or unwanted."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, metadata

import pytest

from requirements.licences import PAGE, licence, locked, npm, unwanted
from tests.harness.processes import REPO


@pytest.fixture(scope="module")
def listed() -> dict[str, str]:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: expression for name, expression in rows if name not in ("what", "---")}


@pytest.mark.parametrize("lock", ["run", "dev"])
def test_every_locked_package_is_listed(listed: dict[str, str], lock: str) -> None:
    assert set(locked(lock)) <= set(listed), "run `make licences`"


def test_every_locked_package_of_the_client_is_listed(listed: dict[str, str]) -> None:
    assert npm().items() <= listed.items(), "run `make licences`"


def test_nothing_is_listed_that_is_not_used(listed: dict[str, str]) -> None:
    others = {name for name in listed if "`" not in name}
    assert others == {*locked("run"), *locked("dev"), *npm()}, "run `make licences`"


def test_what_is_kept_in_the_repository_is_there_with_its_licence(listed: dict[str, str]) -> None:
    folders = [re.findall("`(.+)`", name)[0] for name in listed if "`" in name]
    assert len(folders) == 2
    for folder in folders:
        assert list((REPO / folder).glob("*/LICENSE")), folder


def test_every_licence_is_known_and_accepted(listed: dict[str, str]) -> None:
    assert {name: bad for name, expression in listed.items() if (bad := unwanted(expression))} == {}


def test_the_page_has_the_licences_of_the_installed_packages(listed: dict[str, str]) -> None:
    for name in locked("dev"):
        try:
            metadata(name)
        except PackageNotFoundError:
            continue  # locked for another system
        assert listed[name] == licence(name), "run `make licences`"


@pytest.mark.parametrize(
    ("expression", "bad"),
    [
        ("MIT", set()), ("MPL-2.0 AND (Apache-2.0 OR MIT)", set()), ("GPL-3.0-only", {"GPL-3.0-only"}),
        ("MIT AND AGPL-3.0-or-later", {"AGPL-3.0-or-later"}), ("unknown", {"unknown"}),
    ],
)  # fmt: skip
def test_what_is_not_accepted_is_found(expression: str, bad: set[str]) -> None:
    assert unwanted(expression) == bad
