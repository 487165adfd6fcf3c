"""One list of the dashboard on a page of its own, in pages by keyset; and the whole list as CSV."""

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from models.store import dashboard, dashboard_lists
from models.store.dashboard import TimeRange
from models.store.dashboard_lists import LISTINGS, Listing
from models.store.keyset import Cursor
from notifier.core.errors import InvalidInput, NotFound
from notifier.core.text_output import csv_cell
from notifier.outbox.engine import Connection
from notifier.outbox.types import AnyRow, now
from web.dashboard.chosen import chosen_range, query
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current

PIECE = 2_000  # rows of a CSV that are read at once
#: The values of each list's keys, as a cursor has them.
_VALUES: dict[str, TypeAdapter[Any]] = {
    "dead": TypeAdapter(tuple[int]),
    "waiting": TypeAdapter(tuple[bool, int]),
    "slowest": TypeAdapter(tuple[int, str, str]),
    "undelivered": TypeAdapter(tuple[AwareDatetime, str, str]),
    "connected": TypeAdapter(tuple[AwareDatetime, str]),
}


@blueprint.get("/lists/<name>")
@operator()
def listed(name: str) -> ResponseReturnValue:
    """Show a page of one list."""
    listing = LISTINGS.get(name)
    if listing is None:
        raise NotFound("there is no such list")
    chosen, stage = chosen_range()
    cursor = _cursor(listing, request.args.get("cursor"))
    with current().database.read() as connection:
        where = _where(connection, listing)
        page = dashboard_lists.page(connection, listing, where, now(), cursor=cursor)
    return render_template(
        "reports/list.html", page=page, chosen=chosen, query=query(chosen, stage), cursor_of=cursor_of,
        may_do="admin" in g.key.scopes, whole=where is None or where.whole,
    )  # fmt: skip


def list_csv(name: str) -> Response:
    """Return all rows of a list as CSV, which is written while it is read, a piece at a time."""
    listing, database, at = LISTINGS[name], current().database, now()
    chosen, _ = chosen_range()
    with database.read() as connection:
        where = _where(connection, listing)
        first = dashboard_lists.page(connection, listing, where, at, limit=PIECE)

    def write() -> Iterator[str]:
        yield _lines([listing.columns])
        rows, cursor = first.rows, first.next
        while rows:
            yield _lines(_cells(listing, rows))
            if cursor is None:
                return
            with database.read() as connection:
                piece = dashboard_lists.page(connection, listing, where, at, limit=PIECE, cursor=cursor)
            rows, cursor = piece.rows, piece.next

    response = Response(write(), content_type="text/csv; charset=utf-8")
    name = f"{name}-{chosen.since}-{chosen.until}.csv" if listing.in_range else f"{name}-{at:%Y-%m-%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def cursor_of(cursor: Cursor) -> str:
    """Return a cursor for an address."""
    values = [one.astimezone(UTC) if isinstance(one, datetime) else one for one in cursor.values]
    return base64.urlsafe_b64encode(orjson.dumps([cursor.back, values])).decode()


def _cursor(listing: Listing, text: str | None) -> Cursor | None:
    if not text:
        return None
    try:
        back, values = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        known = _VALUES[listing.name].validate_python(values)
    except (binascii.Error, ValidationError, ValueError, TypeError):
        raise InvalidInput(problems=[{"loc": ["cursor"], "msg": "is not a valid cursor"}]) from None
    return Cursor(known, back=back is True)


def _where(connection: Connection, listing: Listing) -> TimeRange | None:
    if not listing.in_range:
        return None
    chosen, _ = chosen_range()
    return dashboard.span(connection, chosen.since, chosen.until)


def _cells(listing: Listing, rows: Sequence[AnyRow]) -> Iterator[Sequence[str]]:
    for row in rows:
        yield [csv_cell(getattr(row, column)) for column in listing.columns]


def _lines(rows: Any) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
