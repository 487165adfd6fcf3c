"""Rejected messages of the broker: the beginnings of the newest ones.

Their content is untrusted: text is kept without control characters, a body as bytes.
"""

import json
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


def mentioning(
    connection: Connection, user_id: str, *, after: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Look at `limit` messages after the message `after` (None: at the first ones).

    Returns those that name the user, and the last one looked at; None instead: there are no more.
    """
    query = sa.select(r.id, r.headers, r.body, r.reason)
    if after is not None:
        query = query.where(r.id > after)
    query = query.order_by(r.id).limit(limit)
    rows = connection.execute(query).all()
    words = _words(user_id)
    told = {row.id: b"\n".join((bytes(row.body), row.headers.encode(), row.reason.encode())) for row in rows}
    found = [id for id, text in told.items() if any(word in text for word in words)]
    return found, rows[-1].id if len(rows) == limit else None


LONG = 6  # characters from which on an id is looked for anywhere, and not as a whole value alone


def _words(user_id: str) -> set[bytes]:
    """Return the ways in which a message may have written the id."""
    plain = {user_id, json.dumps(user_id)[1:-1], json.dumps(user_id, ensure_ascii=False)[1:-1]}
    if len(user_id) >= LONG:
        return {word.encode() for word in plain}
    return {f"{mark}{word}{mark}".encode() for word in plain for mark in ('"', "'", '\\"')}


def delete(connection: Connection, ids: Sequence[str]) -> int:
    """Delete messages."""
    return connection.execute(sa.delete(rejected_messages).where(r.id.in_(ids))).rowcount
