"""Hand mails to an SMTP server (RFC 5321), over connections that are kept between two mails.

Whatever fails before the final dot is on its way was certainly not taken: Retry. If the answer to the dot
does not come, nobody can know: Unknown. The whole exchange ends at a deadline, however slowly a server
answers.
"""

import contextlib
import smtplib
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from queue import Empty, LifoQueue

from notifier.channel_settings import SmtpServer
from notifier.channels import Refused, Result, Retry, Sent, Unknown
from worker.channels.smtp_verdict import Stage, verdict

TIMEOUT = 30.0  # seconds for one mail, from connecting to the last answer
IDLE = 20.0  # seconds that an unused connection is kept; servers close at 60 and more
PER_CONNECTION = 100  # mails; many servers allow no more


class NoStartTls(Exception):
    """The server offers no STARTTLS, and it is not on this machine."""


class _Timed:
    """An SMTP client whose every wait ends at one deadline."""

    deadline = 0.0

    def getreply(self) -> tuple[int, bytes]:
        """Read an answer; raise TimeoutError at the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server did not answer in time")
        if self.sock is not None:  # type: ignore[attr-defined]
            self.sock.settimeout(left)  # type: ignore[attr-defined]
        return super().getreply()  # type: ignore[misc, no-any-return]


class _Smtp(_Timed, smtplib.SMTP):
    pass


class _Smtps(_Timed, smtplib.SMTP_SSL):
    pass


@dataclass(slots=True)
class _Connection:
    client: _Smtp | _Smtps
    used_at: float
    mails: int = 0


class SmtpTransport:
    """Hands mails in; safe to use from several threads, each with a connection of its own.

    Args:
        server: where to.
        timeout: seconds for one mail.
        context: makes the TLS context; the system's authorities by default.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        timeout: float = TIMEOUT,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._context = context
        self._idle: LifoQueue[_Connection] = LifoQueue()

    def send(self, mail: EmailMessage, *, sender: str, recipient: str) -> Result:
        """Hand one mail in for one recipient."""
        deadline = time.monotonic() + self._timeout
        stage = Stage.GREETING
        try:
            with self._connection(deadline) as client:
                if not recipient.isascii() and not client.has_extn("smtputf8"):
                    return Refused("the address needs SMTPUTF8, which the mail server does not offer")
                code, answer = client.mail(sender, _options(client, mail))
                if code >= 300:
                    return verdict(stage, code, _text(answer))
                stage = Stage.RECIPIENT
                code, answer = client.rcpt(recipient)
                if code >= 300:
                    return verdict(stage, code, _text(answer))
                stage = Stage.DATA
                code, answer = client.docmd("DATA")
                if code != 354:
                    return verdict(stage, code, _text(answer))
                return self._body(client, mail)
        except smtplib.SMTPResponseException as exc:
            return verdict(stage, exc.smtp_code, _text(exc.smtp_error))
        except (OSError, smtplib.SMTPException, NoStartTls, UnicodeError) as exc:
            return Retry(reason=_said(exc))

    def close(self) -> None:
        """Close the connections that are kept."""
        while not self._idle.empty():
            with contextlib.suppress(Empty):
                self._idle.get_nowait().client.close()

    def _body(self, client: "_Smtp | _Smtps", mail: EmailMessage) -> Result:
        """Send the message itself; from here on a broken connection tells nothing."""
        client.send(_dotted(mail.as_bytes(policy=mail.policy)))  # an error: the final dot was not sent
        try:
            code, answer = client.getreply()
        except (OSError, smtplib.SMTPException) as exc:
            client.close()
            return Unknown(f"no answer to the message: {_said(exc)}")
        if 200 <= code < 300:
            return Sent(" ".join(_text(answer).split())[:200] or None)
        return verdict(Stage.DATA, code, _text(answer))

    @contextlib.contextmanager
    def _connection(self, deadline: float) -> Iterator["_Smtp | _Smtps"]:
        """Yield a connection that is ready for MAIL, and keep it unless something failed on it."""
        found = self._kept(deadline) or _Connection(self._connect(deadline), time.monotonic())
        try:
            yield found.client
        except BaseException:
            found.client.close()
            raise
        found.mails += 1
        found.used_at = time.monotonic()
        if found.client.sock is not None and found.mails < PER_CONNECTION:
            self._idle.put(found)
        else:
            found.client.close()

    def _kept(self, deadline: float) -> _Connection | None:
        """Return a kept connection that still answers; RSET also ends what a refusal left open."""
        while True:
            try:
                found = self._idle.get_nowait()
            except Empty:
                return None
            if time.monotonic() - found.used_at < IDLE:
                found.client.deadline = min(deadline, time.monotonic() + 5)
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    if found.client.rset()[0] == 250:
                        found.client.deadline = deadline
                        return found
            found.client.close()

    def _connect(self, deadline: float) -> "_Smtp | _Smtps":
        server = self._server
        left = max(0.1, deadline - time.monotonic())
        client = _Smtps(timeout=left, context=self._context()) if server.tls else _Smtp(timeout=left)
        client.deadline = deadline
        client._host = server.host  # type: ignore[union-attr]  # noqa: SLF001  the name that the certificate must have
        try:
            code, answer = client.connect(server.host, server.port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, answer)
            client.ehlo_or_helo_if_needed()
            if not server.tls:
                self._upgrade(client)
            if server.user is not None:
                client.login(server.user, server.password or "")
        except BaseException:
            client.close()
            raise
        return client

    def _upgrade(self, client: "_Smtp | _Smtps") -> None:
        """Begin TLS. A server on this machine may do without: certificates for localhost are rare."""
        if self._server.loopback and not client.has_extn("starttls"):
            return
        if not client.has_extn("starttls"):
            raise NoStartTls("the server offers no STARTTLS")
        context = self._context()
        if self._server.loopback:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        client.starttls(context=context)
        client.ehlo()


def _options(client: "_Smtp | _Smtps", mail: EmailMessage) -> list[str]:
    eight_bit = mail.get("Content-Transfer-Encoding") == "8bit" or any(
        part.get("Content-Transfer-Encoding") == "8bit" for part in mail.walk()
    )
    body = ["BODY=8BITMIME"] if eight_bit and client.has_extn("8bitmime") else []
    return [*body, "SMTPUTF8"] if getattr(mail.policy, "utf8", False) else body  # RFC 6531


def _dotted(content: bytes) -> bytes:
    """Return the message as it goes over the wire (RFC 5321, section 4.5.2)."""
    text = content if content.endswith(b"\r\n") else content + b"\r\n"
    return text.replace(b"\r\n.", b"\r\n..") + b".\r\n"


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def _said(exc: BaseException) -> str:
    return f"{type(exc).__name__}: {exc}"[:300]
