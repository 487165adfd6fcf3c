"""Build a mail: the headers that make it arrive, and its two parts.

`email.headerregistry` reads a header's text: a title that looks like an encoded word (RFC 2047) would be
decoded, and one with a line break refused. So a subject that has `=?` in it is encoded by us, as a whole.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import cache
from typing import Any

from notifier.channels import Message
from worker.channels.mail_page import Page

#: Returns the address of the unsubscribe page for a message; None: it cannot be switched off.
Unsubscribe = Callable[[Message], str | None]

ENCODED_WORD = re.compile(r"=\?")
MAX_SUBJECT = 200  # characters
MAX_PLAIN = 60  # characters of a header that is not folded
PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9._+-]{1,40}@[A-Za-z0-9.-]{1,30}")  # needs neither quotes nor folding
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class _Kept(str):
    """A header's text that is sent as it is, in one line: addresses must not be encoded or folded."""

    __slots__ = ()

    def lines(self, name: str) -> str:
        """Return the header."""
        return f"{name}: {self}\r\n"


class _Encoded(_Kept):
    """A header's text whose every character means itself."""

    __slots__ = ()

    def lines(self, name: str) -> str:
        """Return the header, encoded as a whole."""
        folded = Header(str(self), "utf-8", header_name=name, maxlinelen=76).encode(linesep="\r\n")
        return f"{name}: {folded}\r\n"


class MailPolicy(EmailPolicy):
    """Lines as SMTP has them; and headers that are ready stay as they are."""

    def fold(self, name: str, value: Any) -> str:
        """Return the header's lines."""
        return value.lines(name) if isinstance(value, _Kept) else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        """Return the header's lines, as they are sent."""
        if isinstance(value, _Kept):
            return value.lines(name).encode("ascii")
        return super().fold_binary(name, value)

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """Keep headers that are ready."""
        return (name, value) if isinstance(value, _Kept) else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        """Return headers that are ready."""
        return value if isinstance(value, _Kept) else super().header_fetch_parse(name, value)


POLICY = MailPolicy(linesep="\r\n", cte_type="7bit")
#: For an address whose local part is not ASCII: RFC 6532, which needs SMTPUTF8.
UTF8_POLICY = POLICY.clone(utf8=True)


def message_id(message: Message, domain: str) -> str:
    """Return the Message-ID: made of notification, user and address, so the same on every attempt."""
    names = [message.entry.id, message.user_id, message.address, message.digest or ""]
    digest = hashlib.sha256("\0".join(names).encode()).digest()[:20]
    return f"<{base64.b32encode(digest).decode().lower().rstrip('=')}@{domain}>"


def sender_domain(sender: str) -> str:
    """Return the domain of NOTIFIER_MAIL_FROM."""
    return parseaddr(sender)[1].rpartition("@")[2] or "localhost"


def build(
    message: Message, page: Page, *, sender: str, at: datetime, unsubscribe: str | None
) -> EmailMessage:
    """Return the mail.

    Args:
        message: to whom, and which notifications.
        page: what it says.
        sender: NOTIFIER_MAIL_FROM, `Name <address>` or an address.
        at: its Date.
        unsubscribe: the address of the unsubscribe page; None: it cannot be switched off.
    """
    utf8 = not message.address.rpartition("@")[0].isascii()
    name = message_id(message, sender_domain(sender))
    mail = EmailMessage(policy=UTF8_POLICY if utf8 else POLICY)
    mail["From"] = _from(sender)
    mail["To"] = _mailbox(message.name or "", message.address)
    mail["Subject"] = _subject(page.subject)
    mail["Date"] = _Kept(format_datetime(at))
    mail["Message-ID"] = _Kept(name)
    mail["Auto-Submitted"] = _Kept("auto-generated")  # RFC 3834: no out-of-office answers
    if unsubscribe is not None:
        # RFC 8058, section 3.1: both, and the mail must be signed with DKIM over both.
        mail["List-Unsubscribe"] = _Kept(f"<{unsubscribe}>")
        mail["List-Unsubscribe-Post"] = _Kept("List-Unsubscribe=One-Click")
    # A boundary that begins so is in no quoted-printable text (RFC 2045, section 6.7).
    boundary = f"=_{name[1:21]}"
    mail["MIME-Version"] = _Kept("1.0")
    mail["Content-Type"] = _Kept(f'multipart/alternative; boundary="{boundary}"')
    mail.attach(_part("plain", page.text))
    mail.attach(_part("html", page.html))
    return mail


def _part(kind: str, text: str) -> EmailMessage:
    """Return a text part; `EmailMessage.set_content` gives the same, in six times the time."""
    part = EmailMessage(policy=POLICY)
    part["Content-Type"] = _Kept(f'text/{kind}; charset="utf-8"')
    part["Content-Transfer-Encoding"] = _Kept("quoted-printable")
    lines = "\n".join(UNPRINTABLE.sub("", text).splitlines()) + "\n"
    part.set_payload(binascii.b2a_qp(lines.encode(errors="replace")).decode("ascii"))
    return part


def _subject(text: str) -> str:
    line = UNPRINTABLE.sub(" ", " ".join(text.split()))[:MAX_SUBJECT]
    if ENCODED_WORD.search(line) or not line.isascii():
        return _Encoded(line)
    return _Kept(line) if len(line) <= MAX_PLAIN else line


@cache
def _from(sender: str) -> _Kept:
    """Return NOTIFIER_MAIL_FROM as the header has it."""
    folded = POLICY.fold("From", POLICY.header_store_parse("From", _mailbox(*parseaddr(sender)))[1])
    return _Kept(folded.partition(": ")[2].rstrip("\r\n"))


def _mailbox(name: str, address: str) -> Address | str:
    """Return an address with its name, whatever the name has in it."""
    if not name and PLAIN_ADDRESS.fullmatch(address):
        return _Kept(address)
    local, _, domain = address.rpartition("@")
    clean = UNPRINTABLE.sub("", " ".join(name.split()))[:100]
    return Address("" if ENCODED_WORD.search(clean) else clean, local, _ascii(domain))


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode()
