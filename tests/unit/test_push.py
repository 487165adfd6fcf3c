"""Web Push, against other implementations and the RFCs' own examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

from notifier.channels import Entry, Gone, Message, Refused, Result, Retry, Sent, Unknown
from notifier.core.errors import SettingError
from tests.harness.push_service import Browser, PushService, push_service
from tests.harness.world import settings
from usecases.channel_results import InDoubt, Paused
from usecases.push_endpoint import problem
from usecases.sealed_token import PUSH_READ, SealedTokens
from usecases.vapid import Vapid, from_base64url
from worker.channels.push import PushChannel
from worker.channels.push_encryption import MAX_PLAINTEXT, encrypt
from worker.channels.push_http import PrivateAddress, post

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
VAPID = Vapid(ec.generate_private_key(ec.SECP256R1()), "mailto:ops@shop.example")
TOKENS = SealedTokens(PUSH_READ, ["s" * 32])


@pytest.fixture(scope="module")
def service() -> Any:
    with push_service() as running:
        yield running


def channel(service: PushService) -> PushChannel:
    return PushChannel(
        VAPID, TOKENS, (service.host,), lambda url: f"https://shop.example{url}", clock=lambda: NOW
    )


def message(browser: Browser, data: dict[str, Any] | None = None, **more: Any) -> Message:
    data = data or {"title": "Order Shipped", "message": "On its way.", "action": {"label": "l", "url": "/7"}}
    entry = Entry("id-1", "alert", data, "general", NOW, **more)
    return Message("push", browser.endpoint, "user-7", (entry,), keys=browser.keys)


def test_the_example_of_rfc_8291() -> None:
    # RFC 8291, section 5 and appendix A.
    private = int.from_bytes(from_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=from_base64url(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=from_base64url("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=from_base64url("DGv6ra1nlYgDCS1FRnbzlw"),
        own=ec.derive_private_key(private, ec.SECP256R1()),
    )
    assert body == from_base64url(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_browser_reads_what_was_sent_and_the_service_can_verify_who_sent_it(service: PushService) -> None:
    browser = service.browser(201, "reads")
    assert channel(service).send(message(browser)) == Sent("https://push.example/m/1")
    (request,) = service.to(browser)
    told = browser.read(request.body)
    token = told.pop("token")
    assert told == {
        "id": "id-1",
        "title": "Order Shipped",
        "body": "On its way.",
        "url": "https://shop.example/7",
    }
    assert TOKENS.open(token) == {"u": "user-7", "n": "id-1"}
    assert request.headers["content-encoding"] == "aes128gcm"
    assert request.headers["ttl"] == str(28 * 86_400)
    assert request.headers["urgency"] == "normal"
    assert len(request.headers["topic"]) == 32
    scheme, _, parameters = request.headers["authorization"].partition(" ")
    given = dict(part.strip().split("=", 1) for part in parameters.split(","))
    assert scheme == "vapid"
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(given["k"]))
    claims = jwt.decode(given["t"], key, algorithms=["ES256"], audience=f"http://{service.host}")
    assert claims["sub"] == "mailto:ops@shop.example"
    assert claims["exp"] <= datetime.now(UTC).timestamp() + 86_400


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (201, Sent), (200, Sent), (404, Gone), (410, Gone), (429, Retry), (500, Retry), (503, Retry), (400, InDoubt),
        (401, Paused), (403, Paused), (413, Refused), (301, Refused), (307, Refused), ("drop", Unknown),
    ],
)  # fmt: skip
def test_each_answer_has_its_meaning(service: PushService, answer: int | str, kind: type[Result]) -> None:
    browser = service.browser(answer, "meaning")
    assert type(channel(service).send(message(browser))) is kind
    assert len(service.to(browser)) == 1
    assert not [one for one in service.requests if one.path == "/201/elsewhere"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("9999999", 86_400.0),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_heeded(service: PushService, header: str, seconds: float | None) -> None:
    service.retry_after = header
    result = channel(service).send(message(service.browser(429, "later")))
    assert isinstance(result, Retry)
    assert result.after == seconds


def test_nobody_listening_is_tried_again() -> None:
    browser = Browser("http://127.0.0.1:1/201/x")
    silent = PushChannel(VAPID, TOKENS, ("127.0.0.1:1",), str, clock=lambda: NOW)
    assert type(silent.send(message(browser))) is Retry


@pytest.mark.parametrize("text", ["x" * 4_000, "漢" * 4_000, '"\\\n' * 1_300, "👩‍👩‍👧" * 600])
def test_a_long_message_is_cut_to_what_services_take(service: PushService, text: str) -> None:
    browser = service.browser(201, "long")
    data = {"title": "t" * 200, "message": text, "action": {"label": "l", "url": "/" + "u" * 1_000}}
    assert isinstance(channel(service).send(message(browser, data)), Sent)
    request = service.to(browser)[-1]
    told = browser.read(request.body)
    assert len(request.body) <= 4_096
    assert text.startswith(told["body"].removesuffix("…"))
    assert told["body"].endswith("…")


def test_ttl_is_the_remaining_life(service: PushService) -> None:
    browser = service.browser(201, "life")
    channel(service).send(message(browser, expires_at=NOW + timedelta(minutes=5)))
    assert service.to(browser)[-1].headers["ttl"] == "300"
    assert isinstance(channel(service).send(message(browser, expires_at=NOW)), Refused)


def test_topics_are_one_for_a_collapse_key(service: PushService) -> None:
    browser = service.browser(201, "topic")
    for key in ("a", "a", "b"):
        channel(service).send(message(browser, collapse_key=key))
    topics = [one.headers["topic"] for one in service.to(browser)]
    assert topics[0] == topics[1] != topics[2]


def test_a_subscription_with_broken_keys_is_gone(service: PushService) -> None:
    broken = message(service.browser(201, "broken"))
    for keys in ({}, {"p256dh": "AAAA", "auth": "AAAA"}, {"p256dh": "!", "auth": "é"}):
        assert isinstance(
            channel(service).send(Message("push", broken.address, "u", broken.entries, keys=keys)), Gone
        )


KNOWN = ("fcm.googleapis.com", ".push.services.mozilla.com")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc",
        "https://updates.push.services.mozilla.com/wpush/v2/x?y=1",
        "https://FCM.googleapis.com:443/x",
    ],
)
def test_known_services_are_taken(endpoint: str) -> None:
    assert problem(endpoint, KNOWN) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x", "https://push.services.mozilla.com/x", "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x", "https://evilfcm.googleapis.com/x", "https://127.0.0.1/x",
        "https://[::1]/x", "https://127.1/", "https://0x7f000001/x", "https://2130706433/x",
        "https://fcm.googleapis.com:8443/x", "https://u:p@fcm.googleapis.com/x", "https://fcm.googleapis.com\\@evil/",
        "https://fcm.googleapis.com/x#y", "https://fcm.googleapis.com/\n", "ftp://fcm.googleapis.com/", "x", "",
        "https://localhost/x", "https://fcm.googleapis.com/" + "x" * 2_000, "https://[/x", "https://h:99999/x",
    ],
)  # fmt: skip
def test_anything_else_is_not(endpoint: str) -> None:
    assert problem(endpoint, KNOWN) is not None


@tries(deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    problem(text, KNOWN)
    problem("https://" + text, KNOWN)


def test_a_name_that_leads_into_a_private_network_is_not_called() -> None:
    with pytest.raises(PrivateAddress):
        post("https://localhost/x", b"", {}, ("localhost",))


@pytest.mark.parametrize("form", ["pem", "escaped", "base64url"])
def test_the_key_may_be_pem_or_base64url(form: str, tmp_path: Path) -> None:
    made = Vapid.from_settings(settings(var_dir=tmp_path))
    assert made is not None
    pem = (tmp_path / "vapid-key").read_text()
    assert (tmp_path / "vapid-key").stat().st_mode & 0o777 == 0o600
    number = made._key.private_numbers().private_value.to_bytes(32)
    import base64

    text = {"pem": pem, "escaped": pem.replace("\n", "\\n")}.get(
        form, base64.urlsafe_b64encode(number).decode()
    )
    again = Vapid.from_settings(settings(vapid_key=text))
    assert again is not None
    assert again.public_key == made.public_key
    assert Vapid.from_settings(settings(var_dir=tmp_path)).public_key == made.public_key  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text", ["x", "AAAA", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "é"]
)
def test_a_wrong_key_stops_the_start(text: str) -> None:
    with pytest.raises(SettingError, match="NOTIFIER_VAPID_KEY"):
        Vapid.from_settings(settings(vapid_key=text))


def test_push_without_a_subject_stops_the_start() -> None:
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
    url = "postgresql+psycopg://x/y"
    with pytest.raises(SettingError, match="NOTIFIER_VAPID_SUBJECT"):
        Vapid.from_settings(settings(vapid_key=key, database_url=url))
    assert Vapid.from_settings(settings(database_url=url)) is None
    assert Vapid.from_settings(settings(vapid_key=key, database_url=url, mail_from="a@b.example")) is not None


def test_a_message_over_the_limit_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="3993"):
        encrypt(b"x" * (MAX_PLAINTEXT + 1), p256dh=b"", auth=b"")
