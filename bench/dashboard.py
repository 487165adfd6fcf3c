"""Compare the dashboard's numbers with SQL at a million deliveries, and time each of its pages.

The database is filled until this hour (`bench/million.py`) when it is empty, and kept. What differs from SQL
ends the command with status 1; the times are printed.

    python -m bench.dashboard --database-url sqlite:////tmp/million.db
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask.testing import FlaskClient

from bench.million import Shop, fill
from models.store.dashboard import STAGES
from notifier.outbox.engine import Connection, Database, make_engine
from tests.harness.world import migrate, settings
from usecases.rollup import roll_up_days
from web.app import create_app

KEY = secrets.token_urlsafe(24)
DAYS = 90
TIMES = 5  # that each page is asked for; the fastest counts
VIEW = "notifier_report_deliveries"
NEWEST = 20_000  # deliveries of which the dashboard shows latencies, "slowest" and "not delivered"
COUNTS = "count(*), count(delivered_at), count(read_at)"


def filled(url: str, deliveries: int) -> Database:
    """Return the database, with that many deliveries when it was empty."""
    database = Database(make_engine(url))
    migrate(database.engine)
    with database.read() as connection:
        empty = not connection.scalar(sa.text("SELECT count(*) FROM notifier_deliveries"))
    if empty:
        until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        fill(database, Shop(deliveries, days=DAYS, users=max(1, deliveries // 50), seed=1, until=until))
        analyse = "VACUUM ANALYZE" if database.engine.dialect.name == "postgresql" else "ANALYZE"
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(analyse))
    roll_up_days(database, rest=lambda _seconds: None)  # as a worker does
    return database


def differences(client: FlaskClient, database: Database) -> Iterator[str]:
    """Yield a line for each number of the dashboard that is not SQL's."""
    today = datetime.now(UTC).date()
    postgres = database.engine.dialect.name == "postgresql"
    at = "accepted_at AT TIME ZONE 'UTC'" if postgres else "accepted_at"
    day, hour = (
        (f"to_char({at}, 'YYYY-MM-DD')", f'to_char({at}, \'YYYY-MM-DD"T"HH24:00"Z"\')')
        if postgres
        else (f"substr({at}, 1, 10)", f"substr({at}, 1, 10) || 'T' || substr({at}, 12, 2) || '\\:00Z'")
    )
    for name, group, since in (
        ("over-time", day, today - timedelta(days=DAYS - 1)),
        ("funnel", "event, coalesce(type, '')", today - timedelta(days=DAYS - 1)),
        ("hours", hour, today),
    ):
        query = f"SELECT {group}, {COUNTS} FROM {VIEW} WHERE accepted_at >= :since GROUP BY {group}"
        with database.read() as connection:
            found = connection.execute(sa.text(query), {"since": f"{since} 00:00:00+00:00"}).all()
        expected = {tuple(str(value) for value in row) for row in found}
        if name == "hours":
            shown = table_of(client.get("/reports/night").text)
        else:
            text = client.get(f"/reports/{name}.csv?since={since}&until={today}").text
            shown = {tuple(row) for row in list(csv.reader(io.StringIO(text)))[1:]}
        shown = {row for row in shown if any(value != "0" for value in row[-3:])}
        for row in sorted(expected ^ shown):
            yield f"{name}: {row} is {'of SQL only' if row in expected else 'on the dashboard only'}"


def differences_of_newest(client: FlaskClient, database: Database) -> Iterator[str]:
    """Yield a line for each latency and each total of a list that is not that of the newest deliveries."""
    today = datetime.now(UTC).date()
    chosen = f"since={today - timedelta(days=DAYS - 1)}&until={today}"
    with database.read() as connection:
        begin, rows = newest(connection)
        dead, waiting = (
            connection.scalar(sa.text(f"SELECT count(*) FROM notifier_notifications WHERE state = '{state}'"))
            for state in ("dead", "accepted")
        )
    delivered = sum(row[-1] is not None for row in rows)
    totals = {"slowest": delivered, "undelivered": len(rows) - delivered, "dead": dead, "waiting": waiting}
    for name, total in totals.items():
        page = client.get(f"/reports/lists/{name}?{chosen}").text
        shown = re.search(r"data-count>\d+ of ([\d,]+)<", page)
        found = int(shown[1].replace(",", "")) if shown else 0
        if found != total:
            yield f"{name}: {found} rows on the dashboard, {total} in SQL since {begin}"
    text = client.get(f"/reports/stages.csv?{chosen}").text
    shown_rows = [row[1:] for row in csv.reader(io.StringIO(text))][1:]
    for place, row in enumerate(shown_rows):
        values = sorted(row[place] for row in rows if row[place] is not None)
        ranks = [values[math.ceil(len(values) * percent / 100) - 1] for percent in (50, 95, 99)]
        if row != [str(number) for number in (*ranks, len(values))]:
            yield f"{STAGES[place]}: {row} on the dashboard, {ranks} of {len(values)} in SQL"
    if len(shown_rows) != len(STAGES):
        yield f"the dashboard shows {len(shown_rows)} of {len(STAGES)} stages"


def newest(connection: Connection) -> tuple[object, Sequence[Sequence[int | None]]]:
    """Return from when on there are at most `NEWEST` deliveries, and their latencies by stage."""
    begin, total = None, 0
    view = "notifier_report_notifications"
    query = f"SELECT accepted_at, recipients FROM {view} ORDER BY accepted_at DESC LIMIT {NEWEST + 1}"
    for accepted_at, recipients in connection.execute(sa.text(query)):
        total += recipients
        if total > NEWEST:
            break
        begin = accepted_at
    columns = ", ".join(f"{stage}_ms" for stage in STAGES)
    query = f"SELECT {columns} FROM {VIEW} WHERE accepted_at >= :begin"
    return begin, [tuple(row) for row in connection.execute(sa.text(query), {"begin": begin})]


def table_of(page: str) -> set[tuple[str, ...]]:
    """Return the rows of the hours' table."""
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    cells = [[re.sub(r"<[^>]+>", "", c) for c in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
             for row in rows]  # fmt: skip
    return {
        tuple(unescape(cell).replace("\N{NARROW NO-BREAK SPACE}", "").strip() for cell in row)
        for row in cells
        if row and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00Z", row[0].strip())
    }


def addresses(database: Database) -> Iterator[str]:
    """Yield the address of each page, for the largest user and the largest audience."""
    today = datetime.now(UTC).date()
    with database.read() as connection:
        user = connection.scalar(sa.text("SELECT user_id FROM notifier_inboxes ORDER BY seq DESC LIMIT 1"))
        largest = "SELECT notification_id FROM notifier_report_notifications ORDER BY recipients DESC LIMIT 1"
        id = connection.scalar(sa.text(largest))
    ranges = [f"since={today - timedelta(days=days - 1)}&until={today}" for days in (1, 7, DAYS)]
    yield from (f"/reports?{chosen}" for chosen in ranges)
    yield from ("/reports/night", "/reports/now?rules")
    for name in ("dead", "waiting", "slowest", "undelivered", "connected"):
        yield f"/reports/lists/{name}?{ranges[-1]}"
    yield f"/reports/users?user_id={user}"
    yield from (f"/reports/notifications/{id}{more}" for more in ("", "?state=not-delivered"))
    yield from (f"/reports/search?q={words}" for words in (user, "shipped", "no-such-word"))


def timed(client: FlaskClient, address: str) -> tuple[int, float]:
    """Return a page's status, and the milliseconds of the fastest of some requests."""
    took: list[float] = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = client.get(address)
        took.append((time.perf_counter() - began) * 1000)
    return answer.status_code, min(took)


def main(words: Sequence[str] | None = None) -> None:
    """Fill the database if it is empty, compare, and print the times."""
    parser = argparse.ArgumentParser(prog="bench.dashboard", description=__doc__)
    parser.add_argument(
        "--database-url", required=True, help="an empty database, or one that this command filled"
    )
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    given: Any = parser.parse_args(words)
    database = filled(given.database_url, given.deliveries)
    with tempfile.TemporaryDirectory() as folder:
        chosen = {"api_keys": KEY, "secret": secrets.token_hex(32), "demo": False}
        app = create_app(settings(var_dir=Path(folder), database_url=given.database_url, **chosen))
        client = app.test_client()
        client.post("/reports/sign-in", data={"key": KEY}, headers={"Origin": "http://localhost"})
        wrong = [*differences(client, database), *differences_of_newest(client, database)]
        for address in addresses(database):
            status, milliseconds = timed(client, address)
            print(f"{milliseconds:8.0f} ms  {status}  {address}")
    print(*wrong or ["every number is that of SQL"], sep="\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
