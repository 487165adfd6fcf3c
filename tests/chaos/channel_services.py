"""A mail server and a push service as processes of their own, each with a record of what it has taken.

    python -m tests.chaos.channel_services mail|push PORT RECORD

A line of the record is written before the answer is: what was answered is in the record, whatever
happens to the process. In a line that begins with `died`, the process dies there and nobody hears an answer.
"""

from __future__ import annotations

import asyncio
import os
import sys
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from tests.chaos.steps import pass_step

STEPS = {"after DATA, before 250": "mail", "after the message, before 201": "push"}
TAKEN, DIED = "taken", "died"


class Record:
    """What a service has taken: one line for each message, safe from the death of the process."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, word: str, key: str) -> None:
        """Add a line."""
        os.write(self._file, f"{word} {key}\n".encode())

    def take(self, key: str, step: str) -> None:
        """Note a message; die behind it if the step is armed."""
        self.write(TAKEN, key)
        pass_step(step, before=lambda: self.write(DIED, key))


class Mail:
    """The handler of the mail server."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        mail = message_from_bytes(envelope.original_content or b"")
        self._record.take(mail["Message-ID"], "after DATA, before 250")
        return "250 2.0.0 taken"


async def serve_mail(port: int, record: Record) -> None:
    """Serve for ever."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Mail(record), loop=loop, timeout=60), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


def serve_push(port: int, record: Record) -> None:
    """Serve for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            record.take(f"{self.path} {self.headers['Topic']}", "after the message, before 201")
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    kind, where, path = sys.argv[1:]
    if kind == "mail":
        asyncio.run(serve_mail(int(where), Record(path)))
    else:
        serve_push(int(where), Record(path))
