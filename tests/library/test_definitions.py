"""An application's definitions as data: what `export` writes for the service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from notifier import Reach, define_category, define_event
from notifier.core import categories, events
from notifier.definitions import document, export


class ParcelScanned(BaseModel):
    """Says where a parcel was scanned."""

    parcel: str
    place: str = ""


@pytest.fixture(autouse=True)
def _own_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_events", dict(events._events))
    monkeypatch.setattr(categories, "_categories", dict(categories._categories))


def test_events_and_categories_are_written_as_json(tmp_path: Path) -> None:
    define_event("parcel-scanned", ParcelScanned, inbox=False, category="orders")
    define_category(
        "orders",
        title="Orders",
        description="What happens to them",
        reach={"email": Reach(after="10m", unless="read"), "push": Reach()},
    )
    told = export(tmp_path / "definitions.json")
    written = json.loads((tmp_path / "definitions.json").read_text())
    assert json.loads(told) == written
    entry = written["events"]["parcel-scanned"]
    assert (entry["inbox"], entry["category"]) == (False, "orders")
    assert entry["schema"]["required"] == ["parcel"]
    assert entry["schema"]["additionalProperties"] is False
    assert written["categories"] == {
        "orders": {
            "title": "Orders",
            "description": "What happens to them",
            "required": False,
            "reach": {"email": {"after": "10m", "unless": "read"}, "push": {"after": "0s"}},
        }
    }
    assert not {"alert", "badge"} & set(written["events"])
    assert [file.name for file in tmp_path.iterdir()] == ["definitions.json"]


def test_general_is_always_there_and_may_be_described_again() -> None:
    assert "general" not in document()["categories"]
    assert categories.category("general") is not None
    define_category("general", title="All the rest")
    assert document()["categories"]["general"]["title"] == "All the rest"


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("Orders", {}, "not a category name"),
        ("orders", {"title": ""}, "a title has 1 to 80 characters"),
        ("orders", {"title": "Orders", "reach": {"inbox": Reach()}}, "'inbox' is not a channel"),
    ],
)
def test_a_category_keeps_the_rules(name: str, more: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        define_category(name, **more)  # type: ignore[arg-type]


def test_a_category_has_one_definition() -> None:
    define_category("orders", title="Orders")
    define_category("orders", title="Orders")
    with pytest.raises(ValueError, match="already defined"):
        define_category("orders", title="Other orders")


@pytest.mark.parametrize("after", ["10", "m", "-1m", "1w", "", "1.5h"])
def test_a_duration_is_a_number_and_a_unit(after: str) -> None:
    with pytest.raises(ValueError, match="like 10m"):
        Reach(after=after)


def test_durations_in_seconds() -> None:
    assert [Reach(after=one).seconds for one in ("90s", "10m", "2h", "1d")] == [90, 600, 7_200, 86_400]
    with pytest.raises(ValueError, match="read or seen"):
        Reach(unless="delivered")  # type: ignore[arg-type]
