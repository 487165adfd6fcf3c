"""The demo's `/mail`: the mails that were sent, rendered as in a mail program.

Without an SMTP server the service keeps mails as files; this page reads them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from flask import Blueprint, Response, abort, render_template

NAME = re.compile(r"[a-z2-7]{1,64}")
SHOWN = 20
#: A mail is somebody else's page: it runs nothing, loads nothing, and opens its links in a new window.
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; sandbox allow-popups"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail of the list."""

    name: str
    subject: str
    to: str
    date: str
    text: str


def add_mailbox(shop: Blueprint, folder: Callable[[], Path]) -> None:
    """Add the routes to the shop's. `folder`: where the mails are."""

    @shop.get("/mail")
    def mail() -> str:
        return render_template("mail.html", letters=list(_newest(folder())))

    @shop.get("/mail/<name>")
    def letter(name: str) -> Response:
        path = folder() / f"{name}.eml"
        if not NAME.fullmatch(name) or not path.is_file():
            abort(404)
        response = Response(_part(_read(path), "html"), mimetype="text/html")
        response.headers["Content-Security-Policy"] = SANDBOX
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response


def _newest(folder: Path) -> Iterator[Letter]:
    files = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[:SHOWN]:
        found = _read(path)
        date = found["Date"].datetime.strftime("%H:%M:%S")
        yield Letter(path.stem, found["Subject"], str(found["To"]), date, _part(found, "plain"))


def _read(path: Path) -> EmailMessage:
    found = message_from_bytes(path.read_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    text: str = part.get_content() if part else ""
    return text
