"""An entry of NOTIFIER_API_KEYS is a plain key, or one with a name and scopes."""

from __future__ import annotations

import pytest

from notifier.core.keys import SCOPES, ApiKey, KeyRing


@pytest.mark.parametrize("plain", ["k", "a-b_c.d~e+f/g==", "send+report", "name=x", "日本", "send"])
def test_a_plain_key_may_do_everything_and_sends_as_the_system(plain: str) -> None:
    assert ApiKey.parse(plain) == ApiKey(plain, "system", SCOPES)


def test_a_named_key_has_a_sender_and_scopes() -> None:
    assert ApiKey.parse("shop:send:s3cr+t==") == ApiKey("s3cr+t==", "shop", frozenset({"send"}))
    assert ApiKey.parse("bi-2.eu:report+admin:x").scopes == {"report", "admin"}


@pytest.mark.parametrize(
    "entry",
    [
        "shop:sned:topsecret",  # a typing error must not become a plain key with all rights
        "shop::topsecret",
        "shop:send+:topsecret",
        "shop:SEND:topsecret",
        "shop:send topsecret",
        "shop:topsecret",
        ":send:topsecret",
        "sh op:send:topsecret",
        "shop:send:",
        "shop:send:top:secret",
        "shop:send:topsecret ",
        "a" * 65 + ":send:topsecret",
        "::",
    ],
)
def test_an_entry_with_a_colon_that_is_not_a_named_key_is_refused_without_showing_it(entry: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        ApiKey.parse(entry)
    assert "topsecret" not in str(caught.value)


def test_the_right_key_is_found_among_several_of_one_name() -> None:
    keys = KeyRing(["shop:send:old", "shop:send+report:new", "plain"])
    assert keys.find("old") == ApiKey("old", "shop", frozenset({"send"}))
    assert keys.find("new") == ApiKey("new", "shop", frozenset({"send", "report"}))
    assert keys.find("plain") == ApiKey("plain")


@pytest.mark.parametrize(
    "given", ["", "ol", "oldx", "OLD", "shop:send:old", "shop", "日本", "\ud800", "old\x00"]
)
def test_nothing_else_is(given: str) -> None:
    assert KeyRing(["shop:send:old", "plain"]).find(given) is None


def test_one_secret_belongs_to_one_entry() -> None:
    with pytest.raises(ValueError, match="twice"):
        KeyRing(["shop:send:same", "same"])


def test_a_secret_never_shows() -> None:
    assert "topsecret" not in repr(ApiKey.parse("shop:send:topsecret"))
