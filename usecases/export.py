"""Export a user: one JSON document with all that is stored."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from models.store import export as store
from notifier.core.checks import check_user_id
from notifier.core.errors import NotFound
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now


def write(database: Database, user_id: object, out: Any) -> None:
    """Write the document to `out`, a binary file, with bounded memory.

    Raises InvalidInput, NotFound (nothing is stored of this user), DatabaseUnavailable.
    """
    known = check_user_id(user_id)
    with database.read() as connection:
        if not store.known(connection, known):
            raise NotFound("nothing is stored of this user")
        for piece in _pieces(connection, known):
            out.write(piece)


def _pieces(connection: Connection, user_id: str) -> Iterator[bytes]:
    yield b'{"user_id":' + orjson.dumps(user_id) + b',"exported_at":' + orjson.dumps(now())
    for name, rows in store.rows(connection, user_id):
        yield b',\n"' + name.encode() + b'":['
        for number, row in enumerate(rows):
            yield (b",\n" if number else b"\n") + orjson.dumps(row, default=_plain)
        yield b"]"
    yield b"}\n"


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
