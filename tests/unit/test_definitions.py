"""The service knows an application's definitions from a file alone, and reads it again on SIGHUP."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from notifier import Reach, define_category, define_event
from notifier.core import categories, events
from notifier.core.draft import draft
from notifier.core.errors import InvalidInput, SettingError
from notifier.definitions import export
from notifier.settings import Settings
from tests.harness.world import settings as make_settings
from usecases import definitions

SCHEMA = {"properties": {"parcel": {"type": "string", "maxLength": 5}}, "required": ["parcel"]}


@pytest.fixture(autouse=True)
def _own_definitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_events", dict(events._events))
    monkeypatch.setattr(categories, "_categories", dict(categories._categories))
    monkeypatch.setattr(definitions._Definitions, "events", {})
    monkeypatch.setattr(definitions._Definitions, "categories", {})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "definitions.json"


def settings_with(file: Path) -> Settings:
    return make_settings(definitions=file)


def written(file: Path, **document: Any) -> Settings:
    file.write_text(json.dumps(document))
    return settings_with(file)


def test_an_event_of_the_file_is_known_and_checked(file: Path) -> None:
    definitions.load(
        written(file, events={"parcel": {"schema": SCHEMA, "inbox": False, "category": "orders"}})
    )
    kept = draft(user_id="ada", event="parcel", data={"parcel": "P-1"})
    assert (kept.data, kept.event.inbox, kept.event.category) == ({"parcel": "P-1"}, False, "orders")
    for data, where in (
        ({}, ["data"]),
        ({"parcel": 7}, ["data", "parcel"]),
        ({"parcel": "too long"}, ["data", "parcel"]),
        ({"parcel": "P-1", "colour": "red"}, ["data"]),
    ):
        with pytest.raises(InvalidInput) as caught:
            draft(user_id="ada", event="parcel", data=data)
        assert caught.value.problems[0]["loc"] == where
    with pytest.raises(InvalidInput, match="no event 'letter' is defined"):
        draft(user_id="ada", event="letter", data={})


class Item(BaseModel):
    name: str


class Basket(BaseModel):
    """An event with a nested model."""

    items: list[Item] = Field(min_length=1)


def test_what_an_application_exports_is_what_the_service_reads(file: Path) -> None:
    define_event("basket", Basket, category="orders")
    define_category("orders", title="Orders", required=True, reach={"email": Reach("10m", "read")})
    orders = categories.category("orders")
    export(file)
    events._events.pop("basket")
    categories._categories.pop("orders")
    definitions.load(settings_with(file))
    assert categories.category("orders") == orders
    assert draft(user_id="ada", event="basket", data={"items": [{"name": "Lamp"}]}).data["items"]
    with pytest.raises(InvalidInput) as caught:
        draft(user_id="ada", event="basket", data={"items": [{"name": 7}]})
    assert caught.value.problems[0]["loc"] == ["data", "items", 0, "name"]


def test_the_problems_of_hostile_data_are_bounded(file: Path) -> None:
    schema = {"properties": {"numbers": {"type": "array", "items": {"type": "integer"}}}}
    definitions.load(written(file, events={"numbers": {"schema": schema}}))
    with pytest.raises(InvalidInput) as caught:
        draft(user_id="ada", event="numbers", data={"numbers": ["x" * 1_000] * 5_000})
    assert len(caught.value.problems) == 20
    assert "xxx" not in json.dumps(caught.value.problems)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"events": {"alert": {"schema": {}}}}, "events.alert: this event is defined already"),
        ({"events": {"Parcel": {"schema": {}}}}, "'Parcel' is not an event name: [a-z][a-z0-9_-]{0,63}"),
        ({"events": {"parcel": {}}}, "events.parcel.schema: Field required"),
        (
            {"events": {"parcel": {"schema": {"type": "string"}}}},
            "events.parcel.schema: must describe an object",
        ),
        ({"events": {"parcel": {"schema": {"type": 7}}}}, "events.parcel.schema: 7 is not valid"),
        (
            {"events": {"parcel": {"schema": {"$ref": "https://elsewhere.example/x"}}}},
            "events.parcel.schema: a $ref must begin with #/$defs/",
        ),
        (
            {"categories": {"orders": {"title": "O", "reach": {"email": {"after": "1w"}}}}},
            "after: '1w' must be",
        ),
        ({"more": 1}, "more: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_file_stops_the_start_with_one_line(file: Path, document: Any, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        definitions.load(written(file, **document))
    told = str(caught.value)
    assert told.startswith(f"NOTIFIER_DEFINITIONS: {file}: {message}")
    assert "\n" not in told


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(SettingError, match="No such file or directory"):
        definitions.load(settings_with(file))


def test_a_reload_removes_events_and_a_wrong_file_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = written(
        file, events={"parcel": {"schema": SCHEMA}}, categories={"orders": {"title": "Orders"}}
    )
    definitions.load(settings)
    written(file, events={"letter": {"schema": {}}})
    definitions.reload(settings)
    assert {event.name for event in events.event_types()} >= {"letter", "alert"}
    assert "parcel" not in {event.name for event in events.event_types()}
    assert categories.category("orders") is None
    assert categories.category("general") is not None
    file.write_text("{")
    with caplog.at_level(logging.ERROR):
        definitions.reload(settings)
    assert len(caplog.records) == 1
    assert draft(user_id="ada", event="letter", data={})
