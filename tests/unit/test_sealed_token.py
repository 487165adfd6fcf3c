"""Tokens for one purpose."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.core.errors import NotFound, WrongCredentials
from notifier.tokens import Tokens
from usecases.sealed_token import PUSH_READ, UNSUBSCRIBE, SealedTokens

SECRET, OLD = "s" * 32, "o" * 32


def test_a_token_holds_what_was_sealed() -> None:
    tokens = SealedTokens(UNSUBSCRIBE, [SECRET])
    assert tokens.open(tokens.seal({"u": "user-7", "c": ["orders"]})) == {"u": "user-7", "c": ["orders"]}


def test_it_tells_nobody_whose_it_is() -> None:
    token = SealedTokens(UNSUBSCRIBE, [SECRET]).seal({"u": "user-7"})
    assert b"user-7" not in base64.urlsafe_b64decode(token + "==")
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_token_of_an_old_secret_is_good_and_of_a_strange_one_is_not() -> None:
    token = SealedTokens(UNSUBSCRIBE, [OLD]).seal({"u": "a"})
    assert SealedTokens(UNSUBSCRIBE, [SECRET, OLD]).open(token) == {"u": "a"}
    with pytest.raises(NotFound):
        SealedTokens(UNSUBSCRIBE, [SECRET]).open(token)


def test_it_is_good_for_its_purpose_only_and_never_as_a_user_token() -> None:
    token = SealedTokens(UNSUBSCRIBE, [SECRET]).seal({"u": "a"})
    with pytest.raises(NotFound):
        SealedTokens(PUSH_READ, [SECRET]).open(token)
    with pytest.raises(WrongCredentials):
        Tokens(SECRET).verify(token)
    with pytest.raises(NotFound):
        SealedTokens(UNSUBSCRIBE, [SECRET]).open(Tokens(SECRET).mint("a"))


@settings(deadline=None, max_examples=50)
@given(
    st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode())
)
def test_nothing_else_opens(text: str) -> None:
    with pytest.raises(NotFound):
        SealedTokens(UNSUBSCRIBE, [SECRET]).open(text)


def test_a_changed_token_does_not_open() -> None:
    tokens = SealedTokens(UNSUBSCRIBE, [SECRET])
    token = tokens.seal({"u": "a"})
    for place in (0, len(token) // 2):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(NotFound):
            tokens.open(token[:place] + other + token[place + 1 :])
