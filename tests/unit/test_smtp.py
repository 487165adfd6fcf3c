"""Handing in mails, to a server that does what it should not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest

from notifier.channel_settings import SmtpServer
from notifier.channels import Entry, Gone, Message, Refused, Result, Retry, Sent, Unknown
from tests.harness.certificate import self_signed
from tests.harness.mails import MailServer, mail_server
from usecases.channel_results import InDoubt
from worker.channels.email import EmailChannel, MailFolder
from worker.channels.mail import POLICY
from worker.channels.mail_page import MailPages
from worker.channels.smtp import SmtpTransport
from worker.channels.smtp_verdict import Stage, verdict


@pytest.fixture(scope="module")
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def mail(text: str = "Hello\n.\n..two\n") -> EmailMessage:
    built = EmailMessage(policy=POLICY)
    built["Subject"], built["Message-ID"] = "s", "<abc@shop.example>"
    built.set_content(text)
    return built


def hand_in(server: MailServer, recipient: str, timeout: float = 10) -> Result:
    transport = SmtpTransport(SmtpServer("127.0.0.1", server.port), timeout=timeout)
    with closing(transport):
        return transport.send(mail(), sender="no-reply@shop.example", recipient=recipient)


@pytest.mark.parametrize(
    ("recipient", "kind"),
    [
        ("jo", Sent), ("busy", Retry), ("nobody", Gone), ("spam", Refused), ("bare", InDoubt), ("sender", Refused),
        ("full", Refused), ("drop", Unknown), ("slow", Sent),
    ],
)  # fmt: skip
def test_each_answer_has_its_meaning(server: MailServer, recipient: str, kind: type[Result]) -> None:
    assert type(hand_in(server, f"{recipient}@example.org")) is kind


def test_a_server_that_hangs_is_left_at_the_deadline(server: MailServer) -> None:
    assert type(hand_in(server, "hang@example.org", timeout=0.5)) is Retry
    assert type(hand_in(server, "quiet@example.org", timeout=0.5)) is Unknown


def test_what_is_refused_before_rcpt_is_tried_again(server: MailServer) -> None:
    server.greeting = "550 5.7.1 we do not know you"
    try:
        assert type(hand_in(server, "jo@example.org")) is Retry
    finally:
        server.greeting = None


def test_lines_that_are_a_dot_arrive(server: MailServer) -> None:
    hand_in(server, "dots@example.org")
    (found,) = server.to("dots@example.org")
    assert found.get_content().replace("\r\n", "\n") == "Hello\n.\n..two\n"


def test_a_connection_is_used_again_also_after_a_refusal(server: MailServer) -> None:
    transport = SmtpTransport(SmtpServer("127.0.0.1", server.port))
    before = server.connections
    with closing(transport):
        for local in ("nobody", "jo", "busy", "jo"):
            transport.send(mail(), sender="no-reply@shop.example", recipient=f"{local}@example.org")
    assert server.connections == before + 1


def test_nobody_listening_is_tried_again() -> None:
    transport = SmtpTransport(SmtpServer("127.0.0.1", 1))
    assert type(transport.send(mail(), sender="a@b.example", recipient="jo@example.org")) is Retry


def test_elsewhere_than_on_this_machine_starttls_is_required(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmtpServer, "loopback", False)
    result = hand_in(server, "jo@example.org")
    assert isinstance(result, Retry)
    assert "STARTTLS" in result.reason


@pytest.mark.parametrize("at_once", [True, False], ids=["smtps", "starttls"])
def test_a_certificate_is_checked(at_once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SmtpServer, "loopback", False)
    made = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.path, made.key)
    trusting = lambda: ssl.create_default_context(cafile=str(made.path))  # noqa: E731
    with mail_server(tls=context, starttls=not at_once) as running:
        where = SmtpServer("127.0.0.1", running.port, tls=at_once)
        strict, knowing = SmtpTransport(where, timeout=10), SmtpTransport(where, timeout=10, context=trusting)
        refused = strict.send(mail(), sender="a@b.example", recipient="jo@example.org")
        assert isinstance(refused, Retry)
        assert "certificate" in refused.reason.lower()
        with closing(knowing):
            assert isinstance(knowing.send(mail(), sender="a@b.example", recipient="jo@example.org"), Sent)


@pytest.mark.parametrize(
    ("stage", "code", "text", "kind"),
    [
        (Stage.RECIPIENT, 550, "5.1.1 unknown", Gone), (Stage.RECIPIENT, 550, "5.1.10 null MX", Gone),
        (Stage.RECIPIENT, 553, "5.1.3 syntax", Gone), (Stage.RECIPIENT, 550, "5.1.7 sender", Refused),
        (Stage.RECIPIENT, 550, "5.1.8 sender", Refused), (Stage.RECIPIENT, 550, "5.7.1 policy", Refused),
        (Stage.RECIPIENT, 550, "mailbox unavailable", InDoubt), (Stage.RECIPIENT, 551, "elsewhere", Refused),
        (Stage.RECIPIENT, 451, "4.7.1 greylisted", Retry), (Stage.RECIPIENT, 421, "closing", Retry),
        (Stage.DATA, 550, "no", Refused), (Stage.DATA, 554, "5.7.1 spam", Refused), (Stage.DATA, 550, "5.1.1 x", Gone),
        (Stage.DATA, 452, "4.3.1 full", Retry), (Stage.GREETING, 550, "5.1.1 x", Retry),
        (Stage.GREETING, 535, "5.7.8 auth", Retry), (Stage.RECIPIENT, 550, "15.1.1.1 is a version", InDoubt),
    ],
)  # fmt: skip
def test_the_judgement(stage: Stage, code: int, text: str, kind: type[Result]) -> None:
    assert type(verdict(stage, code, text)) is kind


def test_without_a_server_mails_are_files_for_the_owner_only(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail")
    for _ in range(2):
        assert folder.send(mail(), sender="a@b", recipient="c@d") == Sent("abc.eml")
    (file,) = (tmp_path / "mail").glob("*")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes().startswith(b"Subject: s\r\n")


@pytest.mark.parametrize("url", ["http://h", "smtp://", "mail", "smtp://h:99999"])
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        SmtpServer.from_url(url)


def test_a_url_has_user_and_password() -> None:
    url = "smtps://a%40b.example:p%3Aw@mail.example"
    assert SmtpServer.from_url(url) == SmtpServer("mail.example", 465, True, "a@b.example", "p:w")


def to(server: MailServer, address: str) -> Result:
    entry = Entry("id", "alert", {"title": "t", "message": "m"}, "general", datetime.now(UTC))
    transport = SmtpTransport(SmtpServer("127.0.0.1", server.port), timeout=10)
    channel = EmailChannel(
        MailPages("https://shop.example"),
        transport,
        sender="no-reply@shop.example",
        unsubscribe=lambda _: None,
    )
    with closing(channel):
        return channel.send(Message("email", address, "user-7", (entry,)))


def test_an_address_that_needs_smtputf8_is_sent_with_it_where_the_server_offers_it() -> None:
    with mail_server(utf8=True) as modern:
        assert isinstance(to(modern, "jörg.müller@bücher.example"), Sent)
        ((recipient, mail),) = modern.mails
    assert recipient == "jörg.müller@xn--bcher-kva.example"
    to_header = dict(mail.raw_items())["To"].encode(errors="surrogateescape").decode()
    assert to_header == "jörg.müller@xn--bcher-kva.example"
    body = mail.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("t")


def test_where_it_does_not_it_is_refused_with_the_reason(server: MailServer) -> None:
    before = len(server.mails)
    result = to(server, "jörg@example.org")
    assert isinstance(result, Refused)
    assert "SMTPUTF8" in result.reason
    assert len(server.mails) == before
