"""An identity provider's tokens: the key determines the algorithm, and an outage affects only unknown keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from notifier.core.errors import SettingError, Unauthenticated
from notifier.settings import Settings
from notifier.tokens import Tokens
from web.jwks import Jwks, usable

SECRET = "a-secret-for-tests-only-0123456789abcdef"
RSA = rsa.generate_private_key(65_537, 2048)
WEAK = rsa.generate_private_key(65_537, 1024)
EC = ec.generate_private_key(ec.SECP256R1())
EC384 = ec.generate_private_key(ec.SECP384R1())
ED = ed25519.Ed25519PrivateKey.generate()
PRIVATE = {"RS256": RSA, "ES256": EC, "EdDSA": ED}


def public(key: Any, kid: str, **more: Any) -> dict[str, Any]:
    kinds: list[tuple[type, Any]] = [
        (rsa.RSAPrivateKey, RSAAlgorithm),
        (ec.EllipticCurvePrivateKey, ECAlgorithm),
        (ed25519.Ed25519PrivateKey, OKPAlgorithm),
    ]
    algorithm = next(found for kind, found in kinds if isinstance(key, kind))
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, **more}


KEYS = {"keys": [public(key, alg) for alg, key in PRIVATE.items()]}


def signed(key: Any, algorithm: str, kid: str | None = None, **changed: Any) -> str:
    claims = {"sub": "u1", "exp": int(time.time()) + 3_600, **changed}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


class Provider:
    """An identity provider that can be down; counts how often it was asked."""

    def __init__(self, document: Any = KEYS) -> None:
        self.document = document
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if self.document is None:
            raise OSError("refused")
        return self.document


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def jwks(provider: Provider, clock: Clock) -> Jwks:
    return Jwks(provider, interval=300, cooldown=10, clock=clock)


@pytest.fixture
def tokens(jwks: Jwks) -> Tokens:
    return Tokens(SECRET, jwks=jwks)


@pytest.mark.parametrize("algorithm", PRIVATE)
@pytest.mark.parametrize("named", [True, False])
def test_a_token_of_the_provider_is_valid_for_its_user(tokens: Tokens, algorithm: str, named: bool) -> None:
    token = signed(PRIVATE[algorithm], algorithm, algorithm if named else None)
    assert tokens.verify(token).user_id == "u1"


def test_our_tokens_stay_valid_beside_it(tokens: Tokens) -> None:
    assert tokens.verify(tokens.mint("u2")).user_id == "u2"


def forged(key: Any) -> str:
    """Return a token signed with the public key as an HMAC secret, as anybody can make it (RFC 8725, 2.1)."""
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    payload = signed("x" * 32, "HS256", "RS256").rpartition(".")[0]
    mac = hmac.new(pem, payload.encode(), hashlib.sha256).digest()
    return f"{payload}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(signed(ec.generate_private_key(ec.SECP256R1()), "ES256", "ES256"), id="another key"),
        pytest.param(signed(RSA, "RS384", "RS256"), id="another algorithm of the key's kind"),
        pytest.param(signed(RSA, "PS256", "RS256"), id="another padding"),
        pytest.param(signed(ED, "EdDSA", "RS256"), id="another key's id"),
        pytest.param(signed(ED, "EdDSA", "unknown"), id="unknown id"),
        pytest.param(forged(RSA), id="the public key as a secret"),
        pytest.param(signed(RSA, "RS256", "RS256", exp=1), id="ended"),
        pytest.param(jwt.encode({"sub": "u1"}, RSA, "RS256", headers={"kid": "RS256"}), id="no exp"),
        pytest.param(signed(None, "none", "RS256"), id="none"),
    ],
)
def test_any_other_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Unauthenticated):
        tokens.verify(token)


def test_without_a_provider_only_our_tokens_are_accepted() -> None:
    with pytest.raises(Unauthenticated):
        Tokens(SECRET).verify(signed(RSA, "RS256", "RS256"))


def test_unusable_keys_are_ignored() -> None:
    secret = {"kty": "oct", "kid": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}
    private = {**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "private"}
    strange: list[Any] = [
        secret,
        private,
        public(WEAK, "weak"),
        public(EC384, "p384"),
        public(RSA, "enc", use="enc"),
        public(RSA, "rs512", alg="RS512"),
        public(EC, "wrong", alg="RS256"),
        {"kty": "RSA", "n": "AQAB"},
        {},
        "text",
        None,
        public(EC, "good"),
    ]
    assert [key.key_id for key in usable({"keys": strange})] == ["good"]


@pytest.mark.parametrize("document", [None, [], {}, {"keys": []}, {"keys": {}}, {"keys": [{"kty": "oct"}]}])
def test_no_usable_key_is_an_error(document: Any) -> None:
    with pytest.raises(ValueError, match="no key for"):
        usable(document)


# ---------------------------------------------------------------------- how often it is asked


def test_known_keys_cause_no_request_and_an_unknown_one_a_few(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    for _ in range(3):
        assert jwks.find("RS256")
    assert provider.asked == 1
    clock.now += 11
    for kid in ("a", "b", "c"):
        assert jwks.find(kid) == []
    assert provider.asked == 2


def test_a_new_key_is_found_once_the_pause_is_over(jwks: Jwks, provider: Provider, clock: Clock) -> None:
    jwks.find("RS256")
    provider.document = {"keys": [public(EC, "new")]}
    assert jwks.find("new") == []
    clock.now += 11
    assert [key.key_id for key in jwks.find("new")] == ["new"]
    assert jwks.find("RS256") == []


def test_a_provider_that_is_down_costs_no_known_key_and_is_not_asked_for_each_token(
    jwks: Jwks, provider: Provider, clock: Clock
) -> None:
    jwks.find("RS256")
    provider.document = None
    clock.now += 1_000
    assert all(jwks.find("RS256") for _ in range(20))
    deadline = time.monotonic() + 5
    while provider.asked < 2 and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert provider.asked == 2
    assert jwks.find("RS256")


def test_a_provider_that_is_down_at_the_start_is_used_later(
    tokens: Tokens, provider: Provider, clock: Clock
) -> None:
    provider.document = None
    token = signed(ED, "EdDSA", "EdDSA")
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            tokens.verify(token)
    assert provider.asked == 1
    provider.document, clock.now = KEYS, clock.now + 11
    assert tokens.verify(token).user_id == "u1"


# ---------------------------------------------------------------------- from the settings


def test_a_file_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(KEYS))
    settings = Settings.load(_env_file=None, var_dir=tmp_path, jwks=str(path))
    assert (
        Tokens.from_settings(settings, jwks=Jwks.from_settings(settings))
        .verify(signed(EC, "ES256", "ES256"))
        .user_id
        == "u1"
    )


@pytest.mark.parametrize("content", [None, "", "[]", '{"keys": []}'])
def test_a_file_that_is_not_a_key_set_stops_the_start(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingError, match=r"^NOTIFIER_JWKS: [^\n]*$"):
        Jwks.from_settings(Settings.load(_env_file=None, var_dir=tmp_path, jwks=str(path)))


def test_a_url_that_nobody_answers_stops_nothing(tmp_path: Path) -> None:
    settings = Settings.load(_env_file=None, var_dir=tmp_path, jwks="http://127.0.0.1:1/jwks.json")
    tokens = Tokens.from_settings(settings, jwks=Jwks.from_settings(settings))
    with pytest.raises(Unauthenticated):
        tokens.verify(signed(EC, "ES256", "ES256"))
    assert tokens.verify(tokens.mint("u1")).user_id == "u1"
