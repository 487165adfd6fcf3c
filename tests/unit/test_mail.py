"""What a mail says, and the headers that let it arrive."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.channels import Entry, Message
from worker.channels.mail import POLICY, build
from worker.channels.mail_page import MailPages

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LINK = "https://shop.example/unsubscribe?t=abc"
PAGES = MailPages("https://shop.example/notify")


def message(*entries: dict[str, Any], event: str = "alert", **more: Any) -> Message:
    given = entries or ({"title": "Order Shipped", "message": "On its way.", "type": "success"},)
    listed = tuple(
        Entry(f"id-{number}", event, data, "general", AT, reach_id=number)
        for number, data in enumerate(given)
    )
    return Message("email", "jo@example.org", "user-7", listed, **more)


def mail(what: Message, *, link: str | None = LINK, pages: MailPages = PAGES) -> EmailMessage:
    """Build a mail, and read it as a recipient's program does."""
    page = pages.render(what, link)
    built = build(what, page, sender="Shop <no-reply@shop.example>", at=AT, unsubscribe=link)
    found = message_from_bytes(built.as_bytes(policy=POLICY), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def parts(found: EmailMessage) -> tuple[str, str]:
    text, html = found.get_body(("plain",)), found.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content().replace("\r\n", "\n")


def test_a_mail_has_its_headers_and_both_parts() -> None:
    found = mail(message(name="Jo Müller"))
    assert found["From"] == "Shop <no-reply@shop.example>"
    assert found["To"].addresses[0].display_name == "Jo Müller"
    assert found["Subject"] == "Order Shipped"
    assert found["Date"].datetime == AT
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["List-Unsubscribe"] == f"<{LINK}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = parts(found)
    assert text.startswith("Order Shipped\n\nOn its way.\n")
    assert LINK in text
    assert '<html lang="en" dir="ltr">' in html
    assert "prefers-color-scheme: dark" in html
    assert "<img" not in html


def test_a_long_link_is_one_line_and_not_encoded() -> None:
    link = "https://shop.example/unsubscribe?token=" + "Ab-_" * 175
    page = PAGES.render(message(), link)
    raw = build(message(), page, sender="s@shop.example", at=AT, unsubscribe=link).as_bytes(policy=POLICY)
    assert f"\r\nList-Unsubscribe: <{link}>\r\n".encode() in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_the_message_id_is_the_same_on_every_attempt_and_for_nobody_else() -> None:
    one = mail(message())["Message-ID"]
    assert one == mail(message(attempt=7, name="Jo"))["Message-ID"]
    other = Message("email", "al@example.org", "user-7", message().entries)
    assert mail(other)["Message-ID"] != one
    assert one.endswith("@shop.example>")


@pytest.mark.parametrize(
    ("title", "subject"),
    [
        ("Hello\r\nBcc: all@example.org", "Hello Bcc: all@example.org"),
        ("a\n\nb\tc", "a b c"),
        ("=?utf-8?b?SGFjaw==?=", "=?utf-8?b?SGFjaw==?="),
        (
            "Price =?iso-8859-1?q?=0D=0ABcc=3A_x=40y.z?= now",
            "Price =?iso-8859-1?q?=0D=0ABcc=3A_x=40y.z?= now",
        ),
        ("日本語のタイトル" * 12, "日本語のタイトル" * 12),
        ("Grüße", "Grüße"),
    ],
)
def test_a_title_is_only_ever_text_in_the_subject(title: str, subject: str) -> None:
    found = mail(message({"title": title, "message": "m"}))
    assert found["Subject"] == subject
    assert found["Bcc"] is None


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=200))
def test_no_title_makes_a_header_or_a_long_line(title: str) -> None:
    page = PAGES.render(message({"title": title, "message": title}), LINK)
    built = build(message(), page, sender="s@shop.example", at=AT, unsubscribe=LINK)
    raw = built.as_bytes(policy=POLICY)
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line[:1].isspace()]
    assert names == [
        b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"List-Unsubscribe",
        b"List-Unsubscribe-Post", b"MIME-Version", b"Content-Type",
    ]  # fmt: skip
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_what_a_sender_wrote_is_neither_markup_nor_a_template() -> None:
    text, html = parts(mail(message({"title": "<b>{{ 7*7 }}</b>", "message": "<script>x</script>{% x %}"})))
    assert "<script>" not in html
    assert "&lt;b&gt;{{ 7*7 }}&lt;/b&gt;" in html
    assert "{% x %}" in text


def test_actions_are_links_and_paths_are_below_the_public_url() -> None:
    data = {"title": "t", "message": "m", "action": {"label": "Track", "url": "/orders/7?a=1&b=2"}}
    text, html = parts(mail(message(data)))
    assert "https://shop.example/notify/orders/7?a=1&b=2" in text
    assert 'href="https://shop.example/notify/orders/7?a=1&amp;b=2"' in html


def test_a_required_one_says_so_and_cannot_be_switched_off() -> None:
    found = mail(message(required=True), link=None)
    assert found["List-Unsubscribe"] is None
    assert found["List-Unsubscribe-Post"] is None
    assert "cannot be switched off" in parts(found)[0]


def test_a_digest_has_ten_and_the_exact_total() -> None:
    ten = [{"title": f"Number {number}", "message": "m"} for number in range(10)]
    found = mail(message(*ten, digest="daily", total=23, locale="de_DE"))
    text, html = parts(found)
    assert found["Subject"] == "Ihre tägliche Zusammenfassung: 23 neue Mitteilungen"
    assert all(f"Number {number}" in text for number in range(10))
    assert "und 13 weitere" in text
    assert '<html lang="de-DE"' in html


def test_arabic_is_written_from_right_to_left() -> None:
    assert '<html lang="ar" dir="rtl">' in parts(mail(message(locale="ar")))[1]


def test_an_event_without_title_and_message_is_named_by_its_category() -> None:
    assert mail(message({"order": 7}, event="shipment"))["Subject"] == "General"


def test_an_operators_template_of_the_events_name_is_used(tmp_path: Path) -> None:
    (tmp_path / "shipment.html").write_text("<html><body><p>Order {{ data.order }}</p></body></html>")
    (tmp_path / "shipment.txt").write_text("Order {{ data.order }}")
    pages = MailPages("https://shop.example", tmp_path)
    text, html = parts(mail(message({"order": "<7>"}, event="shipment"), pages=pages))
    assert text == "Order <7>\n"
    assert "<p>Order &lt;7&gt;</p>" in html
    assert mail(message(), pages=pages)["Subject"] == "Order Shipped"
