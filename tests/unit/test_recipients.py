"""What a profile may say."""

from __future__ import annotations

import pytest

from notifier.core.errors import InvalidInput
from notifier.core.recipients import check_profile


@pytest.mark.parametrize("email", ["ann@shop.example", "a+b@x.y", "o'neil@shop.example", "a@xn--mller-kva.example", "a@localhost"])  # fmt: skip
def test_a_mailbox_is_accepted(email: str) -> None:
    assert check_profile({"email": email}) == {"email": email}


@pytest.mark.parametrize(
    "email",
    [
        "", "ann", "@shop.example", "ann@", "a@b@c", "a@b, c@d", "a@b;c@d", "Ann <a@b>", "a b@c", "a@b\r\nBcc: x@y",
        "a@b\n", " a@b", "a@b ", "a..b@c", ".a@b", "a@-b", "a@b..c", "a@[127.0.0.1]", '"a b"@c', "a(x)@b", "a@b,",
        "a" * 65 + "@b", "a@" + "b" * 253, 7, ["a@b"], "jörg@b", "a@müller.example", "a\x00@b", "a\u2028@b",
    ],
)  # fmt: skip
def test_what_is_not_exactly_one_mailbox_is_refused(email: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_profile({"email": email})
    assert [problem["loc"] for problem in refused.value.problems] == [["email"]]


@pytest.mark.parametrize("locale", ["de", "pt-BR", "zh-Hant-TW", "es-419"])
def test_a_language_tag_is_accepted(locale: str) -> None:
    assert check_profile({"locale": locale}) == {"locale": locale}


@pytest.mark.parametrize("field", ["locale", "timezone", "name", "email"])
@pytest.mark.parametrize(
    "value", ["", "a\nb", "../x", 'de"><script>', "x" * 300, 1, "/etc/passwd", "Europe/", "\ud800"]
)
def test_a_wrong_value_is_refused_with_its_place(field: str, value: object) -> None:
    if field == "name" and value in ("../x", 'de"><script>', "/etc/passwd", "Europe/"):
        return  # anything printable
    with pytest.raises(InvalidInput) as refused:
        check_profile({field: value})
    assert [problem["loc"] for problem in refused.value.problems] == [[field]]


def test_null_takes_away_and_what_is_absent_is_not_there() -> None:
    assert check_profile({"email": None, "addresses": {"sms": None}}) == {
        "email": None,
        "addresses": {"sms": None},
    }


@pytest.mark.parametrize("channel", ["email", "push", "inbox", "S M S", "", "x" * 65])
def test_an_address_is_of_a_channel_beside_email_and_push(channel: str) -> None:
    with pytest.raises(InvalidInput):
        check_profile({"addresses": {channel: "+49"}})


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        check_profile({"email": "x", "timezone": "y", "addresses": {"sms": "a\nb"}})
    assert [problem["loc"][0] for problem in refused.value.problems] == ["email", "timezone", "addresses"]
