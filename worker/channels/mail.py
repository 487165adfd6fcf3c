"""Build a mail: the headers that make it arrive, and its two parts.

`email.headerregistry` reads a header's text: a title that looks like an encoded word (RFC 2047) would be
decoded, and one with a line break refused. So a subject that has `=?` in it is encoded by us, as a whole.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Any

from notifier.channels import Message
from worker.channels.mail_page import Page

#: Returns the address of the unsubscribe page for a message; None: it cannot be switched off.
Unsubscribe = Callable[[Message], str | None]

ENCODED_WORD = re.compile(r"=\?")
MAX_SUBJECT = 200  # characters
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
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _mailbox(*parseaddr(sender))
    mail["To"] = _mailbox(message.name or "", message.address)
    mail["Subject"] = _subject(page.subject)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = message_id(message, sender_domain(sender))
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    if unsubscribe is not None:
        # RFC 8058, section 3.1: both, and the mail must be signed with DKIM over both.
        mail["List-Unsubscribe"] = _Kept(f"<{unsubscribe}>")
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(UNPRINTABLE.sub("", page.text), cte="quoted-printable")
    mail.add_alternative(UNPRINTABLE.sub("", page.html), subtype="html", cte="quoted-printable")
    return mail


def _subject(text: str) -> str:
    line = UNPRINTABLE.sub(" ", " ".join(text.split()))[:MAX_SUBJECT]
    return _Encoded(line) if ENCODED_WORD.search(line) or not line.isascii() else line


def _mailbox(name: str, address: str) -> Address:
    """Return an address with its name, whatever the name has in it."""
    local, _, domain = address.rpartition("@")
    clean = UNPRINTABLE.sub("", " ".join(name.split()))[:100]
    return Address("" if ENCODED_WORD.search(clean) else clean, local, _ascii(domain))


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode()
