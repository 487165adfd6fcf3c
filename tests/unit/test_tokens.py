"""A token speaks for a user only when it is ours, whole and not ended."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from notifier.errors import InvalidInput, Unauthenticated
from notifier.tokens import Tokens

# Long enough for HS512 too.
SECRET = "a-secret-for-tests-only-0123456789abcdef-0123456789abcdef-0123456789"
OTHER = SECRET[::-1]
DAY = 24 * 3_600  # longer than any run: the tokens below are made before the first test


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


def claims(**changed: Any) -> dict[str, Any]:
    """A good token's claims, changed; None takes one away."""
    given = {"sub": "u1", "exp": int(time.time()) + DAY, **changed}
    return {name: value for name, value in given.items() if value is not None}


def signed(payload: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, secret, algorithm=algorithm)


@pytest.mark.parametrize("user_id", ["u1", "a/b", "*", "#", "..", "user:7", "日本", "x" * 128])
def test_a_minted_token_speaks_for_its_user_until_it_ends(tokens: Tokens, user_id: str) -> None:
    before = int(time.time())
    principal = tokens.verify(tokens.mint(user_id, ttl=60))
    assert principal.user_id == user_id
    assert before + 60 <= principal.expires_at <= int(time.time()) + 60


def test_no_token_is_minted_for_what_is_no_user_id(tokens: Tokens) -> None:
    with pytest.raises(InvalidInput):
        tokens.mint("a\n")


def unsigned(payload: dict[str, Any]) -> str:
    """A token with `alg: none`, as an attacker writes it."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}."


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(claims(exp=None)), id="no exp"),
        pytest.param(signed(claims(sub=None)), id="no sub"),
        pytest.param(signed(claims(), OTHER), id="another secret"),
        pytest.param(unsigned(claims()), id="alg none"),
        pytest.param(unsigned(claims()) + signed(claims()).rpartition(".")[2], id="alg none, signature kept"),
        pytest.param(signed(claims(), SECRET, "HS384"), id="HS384"),
        pytest.param(signed(claims(), SECRET, "HS512"), id="HS512"),
        pytest.param(signed(claims(exp=int(time.time()) - 1)), id="ended"),
        pytest.param(signed(claims(exp=int(time.time()))), id="ends now"),
        pytest.param(signed(claims(nbf=int(time.time()) + DAY // 2)), id="not yet"),
        pytest.param(signed(claims(sub=7)), id="sub is a number"),
        pytest.param(signed(claims(sub="")), id="sub is empty"),
        pytest.param(signed(claims(sub="a\n")), id="sub has a control character"),
        pytest.param(signed(claims(sub="x" * 129)), id="sub is too long"),
        pytest.param(signed(claims(exp="soon")), id="exp is text"),
        pytest.param(signed(claims(exp=float("inf"))), id="exp is endless"),
        pytest.param(signed(claims(exp=float("nan"))), id="exp is no number"),
        pytest.param(signed(claims(aud="another service")), id="for another audience"),
        pytest.param(signed(claims())[:-4] + "AAAA", id="changed"),
        pytest.param(signed(claims()).rpartition(".")[0], id="cut"),
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="no token"),
        pytest.param("日本.日本.日本", id="not ASCII"),
        pytest.param("\ud800.a.b", id="a lone surrogate"),
    ],
)
def test_any_other_token_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.verify(token)
    assert SECRET not in str(caught.value)


def test_a_token_made_at_another_clock_a_little_ahead_is_taken(tokens: Tokens) -> None:
    assert tokens.verify(signed(claims(iat=int(time.time()) + 30))).user_id == "u1"


def test_its_refusal_closes_with_4401_and_answers_401() -> None:
    assert (Unauthenticated.status, Unauthenticated.close_code) == (401, 4401)
