"""Rejected messages of the broker: the beginnings of the newest ones.

Their content is untrusted: text is kept without control characters, a body as bytes.
"""

import reprlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from uuid_utils import uuid7

from models.tables import rejected_messages
from notifier.core.text_output import printable
from notifier.outbox.types import AnyRow

KEPT = 1_000  # messages
MAX_BODY = 64 * 1024  # bytes
MAX_HEADERS = 4 * 1024  # characters of JSON
MAX_TEXT = 200  # characters

r = rejected_messages.c


def keep(
    connection: Connection, *, reason: str, headers: object, content_type: object, body: bytes, now: datetime
) -> str:
    """Store a rejected message with the beginning of its body; return its id.

    The newest `KEPT` stay.
    """
    id = str(uuid7())
    task = headers.get("task") if isinstance(headers, dict) else None
    connection.execute(
        sa.insert(rejected_messages).values(
            id=id,
            rejected_at=now,
            reason=_text(reason),
            task=None if task is None else _text(task),
            content_type=None if content_type is None else _text(content_type),
            headers=_json(headers),
            bytes=len(body),
            body=body[:MAX_BODY],
        )
    )
    oldest = sa.select(r.id).order_by(r.id.desc()).offset(KEPT).limit(1).scalar_subquery()
    connection.execute(sa.delete(rejected_messages).where(r.id <= oldest))
    return id


def rejected(connection: Connection) -> Sequence[AnyRow]:
    """Return the rejected messages, oldest first, without headers and body."""
    listed = (r.id, r.rejected_at, r.reason, r.task, r.content_type, r.bytes)
    return connection.execute(sa.select(*listed).order_by(r.id)).all()


def one(connection: Connection, id: str) -> AnyRow | None:
    """Return a rejected message with everything stored; None when it does not exist."""
    return connection.execute(sa.select(rejected_messages).where(r.id == id)).first()


def drop(connection: Connection, id: str | None = None) -> int:
    """Delete a rejected message, or all of them; return how many were deleted."""
    gone = sa.delete(rejected_messages)
    return connection.execute(gone if id is None else gone.where(r.id == id)).rowcount


def purge(connection: Connection, before: datetime) -> None:
    """Delete what was rejected before that moment."""
    connection.execute(sa.delete(rejected_messages).where(r.rejected_at < before))


def _text(value: object) -> str:
    """Return `value` as short printable text."""
    text = value if isinstance(value, str) else reprlib.repr(value)
    return printable(text[:MAX_TEXT])


def _json(headers: Any) -> str:
    """Return headers as JSON, cut to the maximum length."""
    try:
        text = orjson.dumps(headers, default=reprlib.repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # too deep, or no Unicode
        text = reprlib.repr(headers)
    return text[:MAX_HEADERS].replace("\0", "\N{REPLACEMENT CHARACTER}")
