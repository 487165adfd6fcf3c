"""A scripted SMTP server: what it answers depends on the recipient's local part."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class MailServer:
    """A server, and what it has taken.

    Answers by local part: `busy` 450, `nobody` 550 5.1.1, `spam` 554 5.7.1 after DATA, `bare` a plain 550,
    `hang` no answer to RCPT, `drop` a closed connection after DATA, `quiet` no answer after DATA, `slow` a late one;
    anything else is taken.
    """

    port: int = 0
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    greeting: str | None = None
    pause: float = 0.3
    connections: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        local = address.partition("@")[0].partition("-")[0]
        if local == "hang":
            await self.released.wait()
        refusal = {
            "busy": "450 4.2.1 try later",
            "nobody": "550 5.1.1 no such user",
            "bare": "550 no",
            "sender": "550 5.1.8 bad sender",
            "full": "552 5.2.2 over quota",
        }.get(local)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.greeting:
            return self.greeting
        envelope.mail_from = address
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        local = envelope.rcpt_tos[0].partition("@")[0].partition("-")[0]
        if local == "spam":
            return "554 5.7.1 looks like spam"
        if local == "drop":
            server.transport.abort()
            return "250 never heard"
        mail = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((envelope.rcpt_tos[0], mail))
        if local == "quiet":
            await self.released.wait()
        if local == "slow":
            await asyncio.sleep(self.pause)
        return "250 2.0.0 queued as 1234"

    def release(self) -> None:
        """Let everybody go who is kept waiting."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.released.set)

    def to(self, address: str) -> list[EmailMessage]:
        """The mails that one address got."""
        return [mail for recipient, mail in self.mails if recipient == address]


class _Counting(SMTP):
    def connection_made(self, transport: Any) -> None:
        self.event_handler.connections += 1
        super().connection_made(transport)


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: bool = False, utf8: bool = False
) -> Iterator[MailServer]:
    """Serve on a free port of this machine; `tls`: at once, or after STARTTLS; `utf8`: with SMTPUTF8."""
    handler = MailServer()
    loop = handler.loop = asyncio.new_event_loop()
    ready = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        handler.released = asyncio.Event()

        def protocol() -> SMTP:
            options: dict[str, Any] = {"tls_context": tls, "require_starttls": True} if starttls else {}
            return _Counting(
                handler, loop=loop, timeout=60, hostname="mail.test", enable_SMTPUTF8=utf8, **options
            )

        async def serve() -> None:
            server = await loop.create_server(
                protocol, "127.0.0.1", handler.port, ssl=None if starttls else tls
            )
            handler.port = server.sockets[0].getsockname()[1]
            ready.set()
            await stopped.wait()
            handler.released.set()
            server.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
            await asyncio.sleep(0)

        loop.run_until_complete(serve())

    stopped = asyncio.Event()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield handler
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()
