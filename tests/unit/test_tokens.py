"""A token is valid for a user only when it is ours, unchanged and not expired."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest

from notifier.core.errors import InvalidInput, Unauthenticated
from notifier.tokens import Tokens

# Long enough for HS512 too.
SECRET = "a-secret-for-tests-only-0123456789abcdef-0123456789abcdef-0123456789"
OTHER = SECRET[::-1]
DAY = 24 * 3_600  # longer than any run: the tokens below are made before the first test


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET)


def claims(**changed: Any) -> dict[str, Any]:
    """Return a valid token's claims with changes; None removes one."""
    given = {"sub": "u1", "exp": int(time.time()) + DAY, **changed}
    return {name: value for name, value in given.items() if value is not None}


def signed(payload: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, secret, algorithm=algorithm)


@pytest.mark.parametrize("user_id", ["u1", "a/b", "*", "#", "..", "user:7", "日本", "x" * 128])
def test_a_minted_token_is_valid_for_its_user_until_it_expires(tokens: Tokens, user_id: str) -> None:
    before = int(time.time())
    principal = tokens.verify(tokens.mint(user_id, ttl=60))
    assert principal.user_id == user_id
    assert before + 60 <= principal.expires_at <= int(time.time()) + 60


def test_no_token_is_minted_for_an_invalid_user_id(tokens: Tokens) -> None:
    with pytest.raises(InvalidInput):
        tokens.mint("a\n")


def unsigned(payload: dict[str, Any]) -> str:
    """Return a token with `alg: none`, as an attacker writes it."""

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
        pytest.param(signed(claims(exp=float("nan"))), id="exp is not a number"),
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


def test_the_error_has_close_code_4401_and_status_401() -> None:
    assert (Unauthenticated.status, Unauthenticated.close_code) == (401, 4401)


# ---------------------------------------------------------------------- what the settings add


def test_an_old_secret_still_verifies_and_does_not_sign() -> None:
    changed = Tokens(SECRET, old_secrets=[OTHER])
    assert changed.verify(signed(claims(), OTHER)).user_id == "u1"
    assert Tokens(SECRET).verify(changed.mint("u1")).user_id == "u1"
    with pytest.raises(Unauthenticated):
        Tokens(OTHER).verify(changed.mint("u1"))


def test_the_leeway_lets_a_token_live_a_little_longer() -> None:
    lenient = Tokens(SECRET, leeway=30)
    ended = int(time.time()) - 5
    assert lenient.verify(signed(claims(exp=ended))).expires_at == ended + 30
    with pytest.raises(Unauthenticated, match="expired"):
        lenient.verify(signed(claims(exp=ended - 30)))


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        ({"iss": "https://idp.example", "aud": "notifier"}, True),
        ({"iss": "https://idp.example", "aud": ["other", "notifier-2"]}, True),
        ({"iss": "https://evil.example", "aud": "notifier"}, False),
        ({"aud": "notifier"}, False),
        ({"iss": "https://idp.example"}, False),
        ({"iss": "https://idp.example", "aud": "other"}, False),
    ],
)
def test_issuer_and_audience_are_checked_when_they_are_set(changed: dict[str, Any], taken: bool) -> None:
    strict = Tokens(SECRET, issuer="https://idp.example", audience=["notifier", "notifier-2"])
    assert strict.verify(strict.mint("u1")).user_id == "u1"
    if taken:
        assert strict.verify(signed(claims(**changed))).user_id == "u1"
    else:
        with pytest.raises(Unauthenticated):
            strict.verify(signed(claims(**changed)))


def test_a_token_issued_before_the_revocation_is_refused_and_a_newer_one_is_not() -> None:
    revoked = {"u1": time.time() - 10}
    tokens = Tokens(SECRET, revoked_at=lambda user_id: revoked.get(user_id, float("-inf")))
    for issued in ({"iat": revoked["u1"] - 1}, {"iat": None}, {"iat": int(revoked["u1"] - 1)}):
        with pytest.raises(Unauthenticated, match="revoked"):
            tokens.verify(signed(claims(**issued)))
    assert tokens.verify(tokens.mint("u1")).issued_at > revoked["u1"]
    assert tokens.verify(signed(claims(sub="u2"))).user_id == "u2"


@pytest.mark.parametrize("iat", ["soon", float("nan"), float("inf"), [], {}])
def test_an_iat_that_is_not_a_time_is_refused(tokens: Tokens, iat: Any) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(claims(iat=iat)))


def test_a_token_of_the_future_does_not_outlive_a_revocation() -> None:
    """A token issued tomorrow is refused; one from a clock a little ahead counts as issued now."""
    revoked: dict[str, float] = {}
    tokens = Tokens(SECRET, revoked_at=lambda user: revoked.get(user, float("-inf")))
    now = time.time()

    def issued(at: float) -> str:
        return jwt.encode({"sub": "u", "iat": at, "exp": now + 90_000}, SECRET, algorithm="HS256")

    for ahead in (86_400, 3_600, 120):
        with pytest.raises(Unauthenticated, match="in the future"):
            tokens.verify(issued(now + ahead))
    principal = tokens.verify(issued(now + 5))
    assert principal.issued_at <= time.time()
    assert tokens.verify(issued(now - 5)).issued_at == pytest.approx(now - 5)


def test_the_leeway_is_for_iat_too() -> None:
    tokens = Tokens(SECRET, leeway=120)
    now = time.time()
    ahead = jwt.encode({"sub": "u", "iat": now + 150, "exp": now + 900}, SECRET, algorithm="HS256")
    assert tokens.verify(ahead).user_id == "u"
