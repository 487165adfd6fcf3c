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


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


def claims(**changed: Any) -> dict[str, Any]:
    """A good token's claims, changed; None takes one away."""
    given = {"sub": "u1", "exp": int(time.time()) + 60, **changed}
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
    ("why", "token"),
    [
        ("no exp", signed(claims(exp=None))),
        ("no sub", signed(claims(sub=None))),
        ("another secret", signed(claims(), OTHER)),
        ("alg none", unsigned(claims())),
        ("alg none, signature kept", unsigned(claims()) + signed(claims()).rpartition(".")[2]),
        ("another algorithm", signed(claims(), SECRET, "HS384")),
        ("another algorithm", signed(claims(), SECRET, "HS512")),
        ("ended", signed(claims(exp=int(time.time()) - 1))),
        ("ends now", signed(claims(exp=int(time.time())))),
        ("not yet", signed(claims(nbf=int(time.time()) + 60))),
        ("sub is a number", signed(claims(sub=7))),
        ("sub is empty", signed(claims(sub=""))),
        ("sub has a control character", signed(claims(sub="a\n"))),
        ("sub is too long", signed(claims(sub="x" * 129))),
        ("exp is text", signed(claims(exp="soon"))),
        ("exp is endless", signed(claims(exp=float("inf")))),
        ("exp is no number", signed(claims(exp=float("nan")))),
        ("for another audience", signed(claims(aud="another service"))),
        ("changed", signed(claims())[:-4] + "AAAA"),
        ("cut", signed(claims()).rpartition(".")[0]),
        ("empty", ""),
        ("no token", "Bearer"),
        ("not ASCII", "日本.日本.日本"),
        ("a lone surrogate", "\ud800.a.b"),
    ],
)
def test_any_other_token_is_refused(tokens: Tokens, why: str, token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        tokens.verify(token)
    assert SECRET not in str(caught.value), why


def test_a_token_made_at_another_clock_a_little_ahead_is_taken(tokens: Tokens) -> None:
    assert tokens.verify(signed(claims(iat=int(time.time()) + 30))).user_id == "u1"


def test_its_refusal_closes_with_4401_and_answers_401() -> None:
    assert (Unauthenticated.status, Unauthenticated.close_code) == (401, 4401)
