"""The channel `email`: mails over SMTP, or as files where there is no server (the embedded default)."""

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import Protocol

from notifier.channels import Message, Result, Retry, Sent
from notifier.outbox.types import now as utc_now
from notifier.private import make_folder
from worker.channels.mail import Unsubscribe, build
from worker.channels.mail_page import MailPages

MAX_FILES = 500  # mails that are kept as files


class HandsIn(Protocol):
    """Hands mails over to be delivered."""

    def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Result:
        """Hand one mail in for one recipient."""

    def close(self) -> None:
        """Close what is kept between two mails."""


class EmailChannel:
    """Builds mails and hands them over.

    Args:
        pages: renders what they say.
        transport: takes them on.
        sender: NOTIFIER_MAIL_FROM.
        unsubscribe: makes the address of the unsubscribe page.
        clock: the present.
    """

    def __init__(
        self,
        pages: MailPages,
        transport: HandsIn,
        *,
        sender: str,
        unsubscribe: Unsubscribe,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._pages = pages
        self._transport = transport
        self._sender = sender
        self._unsubscribe = unsubscribe
        self._clock = clock

    def send(self, message: Message) -> Result:
        """Send one mail."""
        link = self._unsubscribe(message)
        page = self._pages.render(message, link)
        mail = build(message, page, sender=self._sender, at=self._clock(), unsubscribe=link)
        local, _, domain = message.address.rpartition("@")
        recipient = f"{local}@{domain.encode('idna').decode()}"
        return self._transport.send(mail, sender=parseaddr(self._sender)[1], recipient=recipient)

    def close(self) -> None:
        """Close what is kept between two mails."""
        self._transport.close()


class MailFolder:
    """Keeps mails as files, the newest 500; the demo shows them.

    Args:
        folder: where to; made with mode 0700.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Result:  # noqa: ARG002
        """Write one mail; the same Message-ID replaces what an earlier attempt wrote."""
        name = mail["Message-ID"].strip("<>").partition("@")[0]
        path = self._folder / f"{name}.eml"
        fresh = self._folder / f".{name}.{os.getpid()}"
        try:
            make_folder(self._folder)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(mail.as_bytes(policy=mail.policy))
            fresh.replace(path)
            self._forget()
        except OSError as exc:
            return Retry(reason=f"{path.name}: {exc.strerror}")
        return Sent(path.name)

    def close(self) -> None:
        """Nothing is kept open."""

    def _forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            files = sorted(self._folder.glob("*.eml"), key=lambda path: path.stat().st_mtime)
            for old in files[:-MAX_FILES]:
                old.unlink(missing_ok=True)
