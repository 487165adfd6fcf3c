"""The one order in which values decide, as a table: every combination of what can be said."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from notifier.core import policy
from notifier.core.categories import Category, Reach, allowed_values, channels_of
from notifier.core.errors import InvalidInput
from notifier.core.policy import Choice, Source, channel_value, choose, switched_off
from notifier.core.preferences import changed, check_change, told
from tests.harness.world import START

REACH = {"email": Reach(), "push": Reach()}
#: channel -> (built in, what the user says of the category, of the channel, what the category says)
VALUES = {
    "inbox": ("on", "off", "off", "off"),
    "push": ("on", "off", "on", "off"),
    "email": ("instant", "daily", "off", "weekly"),
}
SAID = list(itertools.product((False, True), repeat=4))


def stored(channel: str, own: bool, whole: bool) -> dict[str, Any] | None:
    _, of_category, of_channel, _ = VALUES[channel]
    kept: dict[str, Any] = {}
    if own:
        kept["categories"] = {"orders": {channel: {"value": of_category, "at": 1}}}
    if whole:
        kept["channels"] = {channel: {"value": of_channel, "at": 2}}
    return kept or None


def orders(*, required: bool = False, **defaults: str) -> Category:
    return Category("orders", "Orders", required=required, reach=REACH, defaults=defaults)


@pytest.mark.parametrize("channel", VALUES)
@pytest.mark.parametrize(("required", "own", "whole", "of_kind"), SAID)
def test_the_order_decides(channel: str, required: bool, own: bool, whole: bool, of_kind: bool) -> None:
    built_in, of_category, of_channel, default = VALUES[channel]
    kind = orders(required=required, **({channel: default} if of_kind and not required else {}))
    expected = Choice(built_in, Source.DEFAULT)
    if of_kind:
        expected = Choice(default, Source.CATEGORY)
    if whole:
        expected = Choice(of_channel, Source.CHANNEL, 2)
    if own:
        expected = Choice(of_category, Source.USER, 1)
    if required:
        expected = Choice(built_in, Source.REQUIRED)
    assert choose(kind, channel, stored(channel, own, whole)) == expected
    is_off = expected.value == "off"
    if channel == "inbox":
        assert switched_off(kind, stored(channel, own, whole)) == (expected if is_off else None)


def test_what_is_said_of_another_category_or_channel_decides_nothing() -> None:
    given = {
        "categories": {
            "news": {"email": {"value": "off", "at": 1}},
            "orders": {"push": {"value": "off", "at": 1}},
        },
        "channels": {"sms": {"value": "off", "at": 1}},
    }
    assert choose(orders(), "email", given) == Choice("instant", Source.DEFAULT)


def test_an_inbox_that_is_off_asks_no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "category", lambda _: orders())
    off = {"channels": {"inbox": {"value": "off", "at": 1}}}
    assert channel_value(off, "orders", "email") == "off"
    assert channel_value(None, "orders", "email") == "instant"
    assert channel_value(off, "orders", "email", required=True) == "instant"


def test_a_category_that_nobody_defines_any_more_still_has_what_was_said_of_it() -> None:
    given = {"categories": {"gone": {"push": {"value": "off", "at": 1}}}}
    assert (channel_value(given, "gone", "push"), channel_value(None, "gone", "push")) == ("off", "on")


# ---------------------------------------------------------------------- changes

KINDS = {kind.name: kind for kind in (orders(), Category("security", "Security", required=True, reach=REACH))}


def change(before: dict[str, Any] | None, asked: dict[str, Any], at: int = 5) -> dict[str, Any] | None:
    return changed(before, check_change(asked, KINDS, now=START), at=at)


def test_unset_never_overwrites_and_null_takes_away() -> None:
    first = change(
        None, {"categories": {"orders": {"email": "daily", "inbox": "off"}}, "channels": {"push": "off"}}
    )
    second = change(first, {"categories": {"orders": {"inbox": None}}}, at=6)
    assert second == {
        "categories": {"orders": {"email": {"value": "daily", "at": 5}}},
        "channels": {"push": {"value": "off", "at": 5}},
    }
    assert change(second, {"categories": {"orders": {"email": None}}, "channels": {"push": None}}) is None


def test_a_value_that_is_said_again_holds_since_it_was_said_first() -> None:
    first = change(None, {"channels": {"email": "off"}})
    assert change(first, {"channels": {"email": "off"}}, at=9) == first


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"categories": {"nobody": {"inbox": "off"}}}, ["categories", "nobody"]),
        ({"categories": {"orders": {"sms": "off"}}}, ["categories", "orders", "sms"]),
        ({"categories": {"orders": {"push": "daily"}}}, ["categories", "orders", "push"]),
        ({"categories": {"orders": {"email": "on"}}}, ["categories", "orders", "email"]),
        ({"categories": {"orders": {"email": True}}}, ["categories", "orders", "email"]),
        ({"categories": {"orders": {"email": ["off"]}}}, ["categories", "orders", "email"]),
        ({"categories": {"security": {"inbox": "off"}}}, ["categories", "security"]),
        ({"categories": {"orders": "off"}}, ["categories", "orders"]),
        ({"categories": []}, ["categories"]),
        ({"channels": {"pigeon": "off"}}, ["channels", "pigeon"]),
        ({"channels": {"inbox": "instant"}}, ["channels", "inbox"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"timezone": "../etc/passwd"}, ["timezone"]),
        ({"timezone": "Europe"}, ["timezone"]),
        ({"timezone": 7}, ["timezone"]),
        ({"paused_until": -1}, ["paused_until"]),
        ({"paused_until": True}, ["paused_until"]),
        ({"paused_until": 10**18}, ["paused_until"]),
        ({"quiet_hours": {"from": "22:00"}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "24:00", "to": "07:00"}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "days": []}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "days": ["someday"]}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "days": [[]]}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "timezone": "No/Where"}}, ["quiet_hours"]),
        ({"quiet_hours": {"from": "22:00", "to": "07:00", "until": "08:00"}}, ["quiet_hours"]),
    ],
)  # fmt: skip
def test_an_unknown_name_or_value_is_refused_with_its_place(asked: dict[str, Any], where: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_change({**asked, "channels": {**asked.get("channels", {}), "email": "off"}}, KINDS, now=START)
    assert [problem["loc"] for problem in refused.value.problems] == [where]


def test_what_is_told_names_every_channel_that_a_category_offers() -> None:
    said = told(KINDS.values(), change(None, {"channels": {"email": "daily"}}), "Europe/Berlin")
    assert said["categories"][0]["channels"] == {
        "inbox": {"value": "on", "from": "default"},
        "email": {"value": "daily", "from": "channel"},
        "push": {"value": "on", "from": "default"},
    }
    assert said["categories"][1]["channels"]["email"] == {"value": "instant", "from": "required"}
    assert said["channels"] == {"inbox": None, "email": "daily", "push": None}
    assert (said["quiet_hours"], said["paused_until"], said["timezone"]) == (None, None, "Europe/Berlin")


def test_a_category_has_defaults_of_what_it_offers_alone() -> None:
    for defaults in ({"sms": "off"}, {"email": "on"}, {"inbox": "daily"}):
        with pytest.raises(ValueError, match="by default"):
            Category("orders", "Orders", reach=REACH, defaults=defaults)
    with pytest.raises(ValueError, match="required"):
        Category("orders", "Orders", required=True, reach=REACH, defaults={"email": "off"})
    assert channels_of(orders()) == ("inbox", "email", "push")
    assert allowed_values("sms") == ("on", "off")
