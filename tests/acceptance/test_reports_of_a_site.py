"""Reports over a little known traffic: commands and calls agree with it, and with SQL."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from tests.harness import backends
from tests.harness.http_client import Response
from tests.harness.processes import run
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

NAMES = ("daily", "notifications", "devices")
VIEWS = (
    "notifier_report_daily",
    "notifier_report_deliveries",
    "notifier_report_devices",
    "notifier_report_notifications",
)
DAY = timedelta(days=1)

#: Newest first: event, type, sent, delivered, read.
NOTIFICATIONS = [
    ("alert", "warning", 3, 0, 0),  # not delivered to a device yet
    ("badge", "messages", 1, 1, 0),
    ("alert", "success", 3, 3, 2),  # acked, read, archived
    ("alert", "info", 1, 1, 0),  # acked late, by a device that came afterwards
    ("alert", "info", 1, 1, 1),
]
DAILY = {
    ("alert", "info"): (2, 2, 1),
    ("alert", "success"): (3, 3, 2),
    ("alert", "warning"): (3, 0, 0),
    ("badge", "messages"): (1, 1, 0),
}
#: user, device, acked, head, lag.
DEVICES = [("ann", "phone", 4, 5, 1), ("bob", "laptop", 2, 4, 2)]


@dataclass(frozen=True)
class Told:
    """A site with known traffic, and the time when it began."""

    site: Site
    begun: date

    def command(self, *words: str) -> str:
        done = run("notifier", "report", *words, env=self.site.backend.env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def api(self, name: str, **query: str) -> Response:
        answer = self.site.api.report(name, **query)
        assert answer.status == 200, answer
        return answer

    def sql(self, statement: str) -> Any:
        """Return the value of a query."""
        engine = sa.create_engine(self.site.backend.database_url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            return connection.scalar(sa.text(statement))


@pytest.fixture(scope="module", params=backends.KINDS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Three users: ann's phone is connected, bob's laptop connects later, cem only opens the inbox over HTTP."""
    folder = tmp_path_factory.mktemp(f"reports-{request.param}")
    rabbit = request.getfixturevalue("rabbit_server") if request.param == "production" else None
    with (
        backends.open_backend(request.param, folder / "var", rabbit) as backend,
        running_site(backend, folder) as site,
    ):
        told = Told(site, datetime.now(UTC).date())
        _happen(site)
        until(lambda: _devices(told.api("devices").json) == DEVICES, 15, "the last ack is written")
        yield told


def _happen(site: Site) -> None:
    def send(kind: str, *to: str) -> str:
        answer = site.api.send_many(to, {"title": kind, "message": "m", "type": kind})
        identity: str = answer.json["id"]
        return identity

    with site.socket("ann", after=0, device="phone") as phone:
        to_ann = send("info", "ann")
        phone.expect("event", seq=1, id=to_ann)
        phone.send(op="read", ids=[to_ann])
        phone.expect("event", seq=2, event="inbox.read")
        send("info", "bob")
        to_all = send("success", "ann", "bob", "cem")
        phone.expect("event", seq=3, id=to_all)
        site.api.badge("ann", "messages", 3)
        phone.expect("event", seq=4, event="badge")
        phone.send(op="ack", seq=4)
        phone.nothing_before_pong()
    site.arrived("bob", 2)
    with site.socket("bob", after=0, device="laptop") as laptop:
        laptop.send(op="ack", seq=2)
        laptop.nothing_before_pong()
    with site.user("cem") as cem, site.user("bob") as bob:
        cem.archive([to_all])
        bob.read([to_all])
    send("warning", "ann", "bob", "cem")
    for user, head in (("ann", 5), ("bob", 4), ("cem", 3)):
        site.arrived(user, head)


def _devices(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        tuple(row[name] for name in ("user_id", "device", "acked_seq", "head_seq", "lag")) for row in rows
    ]


def _counts(row: dict[str, Any]) -> tuple[int, int, int]:
    return int(row["sent"]), int(row["delivered"]), int(row["read"])


def _by_kind(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return the counts by event and type, over two days if midnight has passed."""
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for row in rows:
        kind = row["event"], row["type"]
        found[kind] = tuple(a + b for a, b in zip(found.get(kind, (0, 0, 0)), _counts(row), strict=True))
    return found


def test_the_daily_report_counts_what_happened(told: Told) -> None:
    rows = told.api("daily").json
    assert _by_kind(rows) == DAILY
    assert sum(row["sent"] for row in rows) == told.sql("SELECT count(*) FROM notifier_deliveries")
    assert {row["day"] for row in rows} <= {told.begun.isoformat(), datetime.now(UTC).date().isoformat()}
    for row in rows:
        assert (row["p50_ms"] is None) == (row["delivered"] == 0)
        assert row["p50_ms"] is None or 0 <= row["p50_ms"] <= row["p95_ms"]


def test_the_report_of_notifications_counts_each_as_its_own_call_does(told: Told) -> None:
    rows = told.api("notifications").json
    assert [(row["event"], row["type"], *_counts(row)) for row in rows] == NOTIFICATIONS
    for row in rows:
        alone = told.site.api.notification(row["notification_id"]).json
        assert (row["accepted_at"], row["status"]) == (alone["accepted_at"], "dispatched")
        assert _counts(row) == (alone["recipients"], alone["delivered"], alone["read"])
        took = row["dispatched_at"] - row["accepted_at"]
        assert abs(row["accepted_to_dispatched_ms"] - took) <= 1  # each value is rounded by itself
    where = "delivered_at IS NOT NULL OR read_at IS NOT NULL"
    assert sum(row["delivered"] for row in rows) == told.sql(
        f"SELECT count(*) FROM notifier_deliveries WHERE {where}"
    )
    assert sum(row["read"] for row in rows) == told.sql(
        "SELECT count(*) FROM notifier_deliveries WHERE read_at IS NOT NULL"
    )


def test_the_report_of_devices_says_how_far_each_is_behind(told: Told) -> None:
    rows = told.api("devices").json
    assert _devices(rows) == DEVICES
    for row in rows:
        assert row["first_seen_at"] <= row["last_seen_at"]
        assert row["acked_seq"] == told.sql(
            f"SELECT acked_seq FROM notifier_devices WHERE device = '{row['device']}'"
        )
        assert row["head_seq"] == told.sql(
            f"SELECT seq FROM notifier_inboxes WHERE user_id = '{row['user_id']}'"
        )


@pytest.mark.parametrize("name", NAMES)
def test_a_command_prints_what_the_call_answers(told: Told, name: str) -> None:
    rows = told.api(name).json
    assert json.loads(told.command(name, "--format", "json")) == rows
    printed = list(csv.DictReader(io.StringIO(told.command(name, "--format", "csv"))))
    heading, *lines = told.command(name).splitlines()
    assert len(printed) == len(lines) == len(rows)
    for row, fields, line in zip(rows, printed, lines, strict=True):
        assert list(fields) == list(row)
        for column, value in row.items():
            shown = "" if value is None else str(value)
            assert column.endswith("_at") or fields[column] == shown
            assert column.endswith("_at") or (shown or "-") in line.split()
            assert column in heading.split()


@pytest.mark.parametrize("name", ["notifications", "devices"])
def test_pages_put_together_are_the_report(told: Told, name: str) -> None:
    whole = told.api(name).json
    pages = [told.api(name, limit="1")]
    while link := pages[-1].headers.get("link"):
        pages.append(told.site.api.get(link.partition(">")[0].removeprefix("<")))
    assert [len(page.json) for page in pages] == [1] * len(whole)
    assert [row for page in pages for row in page.json] == whole


@pytest.mark.parametrize("name", NAMES)
def test_since_and_until_bound_a_report_and_are_both_included(told: Told, name: str) -> None:
    rows = told.api(name).json
    first, last = told.begun, datetime.now(UTC).date()
    for since, until_, expected in (
        (first, last, rows), (first - DAY, last + DAY, rows), (last + DAY, last + DAY, []),
        (first - DAY, first - DAY, []),
    ):  # fmt: skip
        days = {"since": since.isoformat(), "until": until_.isoformat()}
        assert told.api(name, **days).json == expected, days
    all_of_it = told.command(name, "--since", str(first), "--until", str(last), "--format", "json")
    assert json.loads(all_of_it) == rows
    assert told.command(name, "--until", str(first - DAY)) == "no rows\n"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("weekly",), "weekly"), ((), "Missing argument"), (("daily", "--since", "soon"), "soon"),
        (("daily", "--until", "2026-02-30"), "2026-02-30"), (("daily", "--format", "xml"), "xml"),
        (("daily", "--since", "2026-11-20", "--until", "2026-11-19"), "until: is before since"),
        (("daily", "--sinse", "2026-11-20"), "--sinse"), (("daily", "devices"), "devices"),
    ],
)  # fmt: skip
def test_wrong_arguments_end_with_a_line_that_names_them(words: tuple[str, ...], named: str) -> None:
    done = run("notifier", "report", *words, env={"NOTIFIER_DATABASE_URL": "sqlite:///nowhere/none.db"})
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert named in line


def test_a_granted_role_reads_the_views_and_nothing_else(told: Told) -> None:
    backend = told.site.backend
    if backend.kind == "embedded":
        done = run("notifier", "grant-reporting", "bi", env=backend.env)
        assert (done.returncode, done.stdout) == (2, "")
        assert "SQLite has no roles" in done.stderr
        return
    role, password = f"bi_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    owner = sa.create_engine(backend.database_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    url = sa.make_url(backend.database_url).set(username=role, password=password)
    reader = sa.create_engine(url, poolclass=sa.NullPool)
    with owner.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        try:
            done = run("notifier", "grant-reporting", role, env=backend.env)
            assert (done.returncode, done.stdout) == (0, f"{role} may read the reports\n"), done.stderr
            for relation in (
                sa.inspect(connection).get_table_names() + sa.inspect(connection).get_view_names()
            ):
                count = f"SELECT count(*) FROM {relation}"
                with reader.connect() as theirs:
                    if relation in VIEWS:
                        expected = connection.exec_driver_sql(count).scalar()
                        assert theirs.exec_driver_sql(count).scalar() == expected, relation
                        continue
                    with pytest.raises(ProgrammingError, match="permission denied"):
                        theirs.exec_driver_sql(count)
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
