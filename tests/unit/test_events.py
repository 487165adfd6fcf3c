"""The events keep every rule of the contract's section 3."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from notifier.core import events
from notifier.core.checks import MAX_RECIPIENTS, check_audience, check_url, check_user_id
from notifier.core.errors import InvalidInput, UnknownEvent
from notifier.core.events import Action, Alert, Badge, define_event, event_of, event_type

ALERT = {"title": "Order Shipped", "message": "On its way.", "type": "success"}
TRACK = {"label": "Track Order", "url": "/orders/7/track"}


@pytest.fixture
def defined() -> Iterator[None]:
    """Remove a test's definitions after it."""
    before = dict(events._events)
    yield
    events._events.clear()
    events._events.update(before)


def refused(event: str, data: Any) -> list[list[str | int]]:
    """Return the places where `data` breaks a rule."""
    with pytest.raises(InvalidInput) as caught:
        event_type(event).validate(data)
    assert all(problem["msg"] for problem in caught.value.problems)
    return [problem["loc"] for problem in caught.value.problems]


# ---------------------------------------------------------------------- alerts


@pytest.mark.parametrize(
    "data",
    [
        ALERT,
        ALERT | {"action": TRACK},
        ALERT | {"action": None},
        ALERT | {"title": "x"},
        ALERT | {"title": "x" * 200},
        ALERT | {"message": "x" * 4_000},
        ALERT | {"title": "日" * 200},
        ALERT | {"action": {"label": "x" * 80, "url": "https://shop.example/a?b=c#d"}},
        *(ALERT | {"type": kind} for kind in ("info", "warning", "error", "success")),
    ],
)
def test_an_alert_within_the_rules_is_accepted_unchanged(data: dict[str, Any]) -> None:
    assert event_type("alert").validate(data) == data


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"message": "m", "type": "info"}, ["data", "title"]),
        ({"title": "t", "type": "info"}, ["data", "message"]),
        ({"title": "t", "message": "m"}, ["data", "type"]),
        (ALERT | {"title": ""}, ["data", "title"]),
        (ALERT | {"title": "x" * 201}, ["data", "title"]),
        (ALERT | {"title": 7}, ["data", "title"]),
        (ALERT | {"title": None}, ["data", "title"]),
        (ALERT | {"title": "a\x00b"}, ["data"]),
        (ALERT | {"title": "\ud800"}, ["data", "title"]),
        (ALERT | {"message": ""}, ["data", "message"]),
        (ALERT | {"message": "x" * 4_001}, ["data", "message"]),
        (ALERT | {"type": "danger"}, ["data", "type"]),
        (ALERT | {"type": "Info"}, ["data", "type"]),
        (ALERT | {"colour": "red"}, ["data", "colour"]),
        (ALERT | {"action": "/orders"}, ["data", "action"]),
        (ALERT | {"action": {"label": "Go"}}, ["data", "action", "url"]),
        (ALERT | {"action": {"url": "/"}}, ["data", "action", "label"]),
        (ALERT | {"action": TRACK | {"label": ""}}, ["data", "action", "label"]),
        (ALERT | {"action": TRACK | {"label": "x" * 81}}, ["data", "action", "label"]),
        (ALERT | {"action": TRACK | {"target": "_blank"}}, ["data", "action", "target"]),
        (ALERT | {"action": TRACK | {"url": ""}}, ["data", "action", "url"]),
        (ALERT | {"action": TRACK | {"url": "javascript:alert(1)"}}, ["data", "action", "url"]),
    ],
)
def test_an_alert_that_breaks_a_rule_is_refused_by_its_place(
    data: dict[str, Any], place: list[str | int]
) -> None:
    assert refused("alert", data) == [place]


def test_every_problem_is_named_at_once() -> None:
    assert refused("alert", {"title": "", "colour": 1}) == [
        ["data", "title"],
        ["data", "message"],
        ["data", "type"],
        ["data", "colour"],
    ]


def test_a_refusal_never_repeats_the_value() -> None:
    with pytest.raises(InvalidInput) as caught:
        event_type("alert").validate(ALERT | {"type": "s3cret"})
    assert "s3cret" not in str(caught.value.problems)


# ---------------------------------------------------------------------- badges


@pytest.mark.parametrize("kind", ["messages", "notifications", "tasks"])
@pytest.mark.parametrize("count", [0, 1, 2_147_483_647])
def test_a_badge_within_the_rules_is_accepted_unchanged(kind: str, count: int) -> None:
    assert event_type("badge").validate({"type": kind, "count": count}) == {"type": kind, "count": count}


@pytest.mark.parametrize("count", [-1, 1.5, 2_147_483_648, 2_147_483_648.0, "1", True, None, [], 10**30])
def test_a_count_is_a_whole_number_from_0_to_2147483647(count: Any) -> None:
    assert refused("badge", {"type": "tasks", "count": count}) == [["data", "count"]]


def test_a_whole_number_may_be_written_with_a_point() -> None:
    plain = event_type("badge").validate({"type": "tasks", "count": 3.0})
    assert plain == {"type": "tasks", "count": 3}
    assert isinstance(plain["count"], int)


@pytest.mark.parametrize("kind", ["mails", "", None, "Messages"])
def test_an_unknown_badge_is_refused(kind: Any) -> None:
    assert refused("badge", {"type": kind, "count": 1}) == [["data", "type"]]


def test_an_alert_is_an_inbox_entry_and_a_badge_is_not() -> None:
    assert (event_type("badge").inbox, event_type("alert").inbox) == (False, True)


# ---------------------------------------------------------------------- urls


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/orders/7/track",
        "/a//b",
        "/?q=1#top",
        "/%2F%2Fevil.example",
        "http://a",
        "https://shop.example",
        "HTTPS://SHOP.example/",
        "https://shop.example:8443/a",
        "https://[::1]/a",
        "https://münchen.example/ü",
    ],
)
def test_an_absolute_web_address_or_a_path_on_the_same_site_may_be_followed(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://a/b",
        "mailto:a@b.example",
        "blob:https://a/b",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:\\\\evil.example",
        "/a\\b",
        "/\t/evil.example",
        "/\n/evil.example",
        "/a b",
        "/a\x00",
        "/a\x7f",
        "/a\x85",
        "/a\u2028b",
        "/\ud800",
        "http:evil.example",
        "http:/evil.example",
        "http:///evil.example",
        "http://",
        "http://:80",
        "http://?",
        "http://a:99999",
        "http://a:b",
        "http://[::1",
        "orders/7",
        "./orders",
        "?q",
        "#top",
        "",
    ],
)
def test_every_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_url(url)


def as_a_browser_reads(url: str) -> str:
    """Return a URL after the first steps of a browser's parser (WHATWG URL, section 4.4)."""
    url = url.strip("".join(map(chr, range(0x21))))
    return url.replace("\t", "").replace("\n", "").replace("\r", "").replace("\\", "/")


URLISH = st.text(st.sampled_from("/\\:.?#@ \t\n\r\x00%aehjpstv1[]") | st.characters(), max_size=24)


@given(
    st.builds(
        lambda start, rest: start + rest, st.sampled_from(["", "/", "http", "http://", "https:"]), URLISH
    )
)
def test_whatever_passes_leads_a_browser_to_http_or_to_the_same_site(url: str) -> None:
    try:
        check_url(url)
    except ValueError:
        return
    read = as_a_browser_reads(url)
    assert read == url, "a browser would read something else"
    if url.startswith("/"):
        assert not url.startswith("//")
    else:
        scheme, _, rest = url.partition("://")
        assert scheme.lower() in ("http", "https")
        assert rest[:1] not in ("", "/", "?", "#")


@given(st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/%?#", max_size=60))
def test_every_plain_path_passes(path: str) -> None:
    url = "/" + path.lstrip("/")
    assert check_url(url) == url


# ---------------------------------------------------------------------- user ids


@pytest.mark.parametrize(
    "user_id",
    ["a", "x" * 128, "a/b", "*", "#", "..", "user:7", "日本", " ", "u.1", "%00", "👩‍🚀", "a\u200bb"],
)
def test_any_text_without_control_characters_is_a_user_id(user_id: str) -> None:
    assert check_user_id(user_id) == user_id


@pytest.mark.parametrize(
    "user_id", ["", "x" * 129, "a\x00", "a\n", "\x7f", "\x85", "\ud800", 7, None, True, b"a", ["a"], {}]
)
def test_anything_else_is_not_a_user_id(user_id: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_user_id(user_id)
    assert caught.value.problems[0]["loc"] == ["user_id"]


@given(st.text(max_size=140))
def test_a_user_id_is_refused_exactly_for_its_length_or_a_control_character(user_id: str) -> None:
    controls = any(unicodedata.category(char) in ("Cc", "Cs") for char in user_id)
    allowed = 1 <= len(user_id) <= 128 and not controls
    try:
        assert check_user_id(user_id) == user_id
    except InvalidInput:
        assert not allowed
    else:
        assert allowed


def test_recipients_count_once_in_the_order_given() -> None:
    assert check_audience(["b", "a", "b", "c", "a"]) == ["b", "a", "c"]


@pytest.mark.parametrize("how_many", [0, MAX_RECIPIENTS + 1])
def test_an_audience_has_1_to_10000_recipients(how_many: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_audience(f"u{n}" for n in range(how_many))
    assert caught.value.problems[0]["loc"] == ["user_ids"]
    assert len(check_audience(f"u{n}" for n in range(MAX_RECIPIENTS))) == MAX_RECIPIENTS


def test_a_wrong_recipient_is_named_by_its_place() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_audience(["a", "b", ""])
    assert caught.value.problems[0]["loc"] == ["user_ids", 2]


# ---------------------------------------------------------------------- events of one's own


class Invoice(BaseModel):
    """An application's event."""

    number: str
    total: float = 0.0


@pytest.mark.usefixtures("defined")
def test_a_defined_event_is_checked_against_its_schema() -> None:
    define_event("invoice", Invoice)
    assert event_type("invoice").validate({"number": "7", "total": 1.5}) == {"number": "7", "total": 1.5}
    assert refused("invoice", {"total": "much"}) == [["data", "number"], ["data", "total"]]


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize("config", [ConfigDict(), ConfigDict(extra="ignore"), ConfigDict(extra="allow")])
def test_unknown_fields_are_refused_whatever_the_schema_says(config: ConfigDict) -> None:
    schema = type("Loose", (Invoice,), {"model_config": config, "__module__": __name__})
    define_event("loose", schema)
    assert refused("loose", {"number": "7", "colour": "red"}) == [["data", "colour"]]


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize("name", ["a", "x" * 64, "order_paid-2", "a-", "inbox", "inbox-full"])
def test_a_name_of_small_letters_digits_and_dashes_can_be_defined(name: str) -> None:
    assert define_event(name, Invoice).name == name


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize(
    "name", ["", "x" * 65, "Invoice", "1st", "_a", "-a", "a b", "a.b", "inbox.read", "inbox.", "é", "a\n"]
)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an event name"):
        define_event(name, Invoice)


@pytest.mark.usefixtures("defined")
def test_a_name_is_taken_once_by_one_schema() -> None:
    define_event("invoice", Invoice)
    define_event("invoice", Invoice)  # the same again: a module imported twice
    with pytest.raises(ValueError, match="already defined"):
        define_event("invoice", Badge)
    with pytest.raises(ValueError, match="already defined"):
        define_event("invoice", Invoice, inbox=False)
    with pytest.raises(ValueError, match="already defined"):
        define_event("alert", Invoice)


@pytest.mark.usefixtures("defined")
def test_an_event_is_found_by_its_model() -> None:
    define_event("invoice", Invoice)
    assert event_of(Invoice(number="7")).name == "invoice"
    assert event_of(Alert(title="t", message="m", type="info")).name == "alert"
    assert event_of(Badge(type="tasks", count=1)).name == "badge"


def test_a_model_that_nobody_defined_is_an_unknown_event() -> None:
    with pytest.raises(UnknownEvent):
        event_of(Action(label="Go", url="/"))
    with pytest.raises(UnknownEvent):
        event_of(Invoice(number="7"))


@pytest.mark.parametrize("name", ["nope", "", "Alert", "inbox.read", None, 7, [], {}])
def test_an_undefined_name_is_an_unknown_event(name: Any) -> None:
    with pytest.raises(UnknownEvent) as caught:
        event_type(name)
    assert caught.value.problems[0]["loc"] == ["event"]


def test_a_model_is_taken_as_the_fields_that_were_set() -> None:
    given = Alert(title="t", message="m", type="info", action=Action(label="Go", url="/"))
    assert event_type("alert").validate(given) == {
        "title": "t",
        "message": "m",
        "type": "info",
        "action": {"label": "Go", "url": "/"},
    }
    assert "action" not in event_type("alert").validate(Alert(title="t", message="m", type="info"))


class Anything(BaseModel):
    """Any JSON value at all."""

    value: Any = None


@pytest.mark.usefixtures("defined")
@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -(2**63) - 1,
        2**64,
        "\ud800",
        "a\x00b",
        {"a\x00b": 1},
        "x" * (256 * 1024),
        object(),
        b"\xff",
    ],
    ids=[
        "nan",
        "infinity",
        "below 64 bits",
        "above 64 bits",
        "lone surrogate",
        "NUL",
        "NUL in a key",
        "too big",
        "object",
        "bytes",
    ],
)
def test_what_cannot_be_stored_and_sent_unchanged_is_refused(value: object) -> None:
    define_event("anything", Anything)
    assert refused("anything", {"value": value})[0][0] == "data"


@pytest.mark.usefixtures("defined")
def test_data_nested_without_end_is_refused() -> None:
    define_event("anything", Anything)
    deep: Any = 0
    for _ in range(2_000):
        deep = [deep]
    assert refused("anything", {"value": deep})[0][0] == "data"


@pytest.mark.usefixtures("defined")
def test_data_just_nested_enough_to_pass_the_check_can_be_stored_and_sent() -> None:
    import orjson

    define_event("anything", Anything)
    for depth in range(100, 300, 5):
        deep: Any = 0
        for _ in range(depth):
            deep = [deep]
        try:
            plain = event_type("anything").validate({"value": deep})
        except InvalidInput:
            return
        orjson.dumps({"op": "event", "data": plain})


# ---------------------------------------------------------------------- what an alert may hold besides


def alert(**more: object) -> dict[str, object]:
    return {"title": "t", "message": "m", "type": "info", **more}


def places(data: dict[str, object]) -> list[list[str | int]]:
    with pytest.raises(InvalidInput) as caught:
        event_type("alert").validate(data)
    return [problem["loc"] for problem in caught.value.problems]


INVISIBLE = {
    "blanks": "   ",
    "tabs and lines": "\t\n\r",
    "no-break and wide spaces": "\u00a0\u2003\u3000\u202f",
    "zero width": "\u200b\u200c\u200d\ufeff\u2060",
    "soft hyphens": "\u00ad",
    "marks of direction": "\u200e\u200f\u202e\u2066\u2069",
    "fillers of Hangul": "\u115f\u1160\u3164\uffa0",
    "an empty Braille cell": "\u2800",
    "selectors of variants": "\ufe0f\ufe00\U000e0100",
    "tags": "\U000e0020\U000e007f",
    "a joiner": "\u034f",
    "separators": "\u2028\u2029\u0085",
    "all of them": " \u200b\u00ad\u3164\u2800\U000e0100",
}
VISIBLE = [
    "a", " a ", ".", "\u200bx", "日本", "👍", "👩\u200d🚀", "\u0301", "\u05d0", "0", "\ufffd", "-", "ﷺ", "\u0600",
]  # fmt: skip


@pytest.mark.parametrize("name", INVISIBLE)
@pytest.mark.parametrize("field", ["title", "message"])
def test_an_invisible_text_is_refused(field: str, name: str) -> None:
    assert places(alert(**{field: INVISIBLE[name]})) == [["data", field]]


@pytest.mark.parametrize("text", VISIBLE)
def test_a_text_with_a_visible_character_is_accepted_unchanged(text: str) -> None:
    assert event_type("alert").validate(alert(title=text, message=text))["title"] == text


def test_the_openapi_schema_has_the_same_rules() -> None:
    pattern = Alert.model_json_schema()["properties"]["title"]["pattern"]
    assert all(re.search(pattern, text) for text in VISIBLE)
    assert not any(re.search(pattern, text) for text in INVISIBLE.values())


IMAGES = ["https://cdn.example/a.png", "HTTPS://cdn.example/", "/a.png", "/", "/a?b=c#d", "https://[::1]/a"]
NO_IMAGES = [
    "http://cdn.example/a.png", "//cdn.example/a.png", "a.png", "data:image/png;base64,AA", "javascript:alert(1)",
    "https://", "https:///a", "https:cdn.example", "/\\a", "/a b", "", "ftp://x/a", "https://x/\u0000", 7,
]  # fmt: skip


@pytest.mark.parametrize("url", IMAGES)
def test_an_image_is_https_or_a_path(url: str) -> None:
    assert event_type("alert").validate(alert(image=url))["image"] == url


@pytest.mark.parametrize("url", NO_IMAGES)
def test_another_image_is_refused(url: object) -> None:
    assert places(alert(image=url)) == [["data", "image"]]


LINK = {"label": "Track", "url": "/orders/7"}


@pytest.mark.parametrize(
    "actions", [[LINK], [LINK, {"label": "Help", "url": "https://help.example"}], [], None]
)
def test_up_to_two_actions(actions: list[dict[str, str]] | None) -> None:
    assert event_type("alert").validate(alert(actions=actions))["actions"] == actions


def test_three_are_too_many_and_each_is_checked() -> None:
    assert places(alert(actions=[LINK] * 3)) == [["data", "actions"]]
    assert places(alert(actions=[LINK, {"label": "x", "url": "javascript:x"}])) == [
        ["data", "actions", 1, "url"]
    ]
    assert places(alert(actions=LINK)) == [["data", "actions"]]


def test_actions_come_instead_of_an_action() -> None:
    assert places(alert(action=LINK, actions=[LINK])) == [["data"]]
    assert event_type("alert").validate(alert(action=LINK, actions=None))["action"] == LINK
    assert event_type("alert").validate(alert(action=None, actions=[LINK]))["actions"] == [LINK]


def test_what_is_not_given_is_not_stored() -> None:
    assert event_type("alert").validate(Alert(title="t", message="m", type="info")) == alert()
    stored = event_type("alert").validate(
        Alert(title="t", message="m", type="info", actions=[LINK], image="/a.png")
    )
    assert stored == alert(actions=[LINK], image="/a.png")


def test_an_alert_is_a_value() -> None:
    assert hash(Alert(title="t", message="m", type="info", actions=[LINK])) == hash(
        Alert(title="t", message="m", type="info", actions=[LINK])
    )
