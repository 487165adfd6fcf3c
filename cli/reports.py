"""The commands around the reports: `report`, `purge`, `grant-reporting`."""

import re
import sys
import time
from datetime import date, datetime, timedelta

import click

from cli.database import open_database
from cli.help import example
from cli.print_json import JSON, counted, print_facts
from notifier.core.errors import InvalidInput

AGES = {"d": timedelta(days=1), "w": timedelta(weeks=1)}
DAY = click.DateTime(formats=["%Y-%m-%d"])
REST = 4.0  # times the duration of a step: a purge works at most a fifth of the time


@click.command(
    epilog=example(
        "notifier report daily --since 2026-11-19",
        "notifier report notifications --since 2026-11-19 --format csv > notifications.csv",
    )
)
@click.argument("name", type=click.Choice(["daily", "notifications", "devices"]))
@click.option("--since", type=DAY, metavar="DATE", help="The first day, in UTC, like 2026-11-19.")
@click.option("--until", type=DAY, metavar="DATE", help="The last day, in UTC, included.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="A table for people, JSON for scripts, CSV for a spreadsheet.",
)
def report(name: str, since: datetime | None, until: datetime | None, form: str) -> None:
    """Print a report: by day, by notification or by device.

    Days are days in UTC, and times are ISO 8601 in UTC (JSON: milliseconds since 1970, as the HTTP API).
    """
    from models.store import reports
    from usecases.report_formats import write

    first, last = _day(since), _day(until)
    if first and last and last < first:
        raise InvalidInput(problems=[{"loc": ["until"], "msg": "is before since"}])
    with open_database() as database, database.read() as connection:
        columns, rows = reports.read(connection, name, first, last)
        plain = reports.plain if form == "json" else reports.values
        write(form, columns, map(plain, rows), sys.stdout)


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


@click.command(epilog=example("notifier purge --older-than 90d"))
@click.option("--older-than", "age", required=True, metavar="AGE", help="Like 90d or 12w; a day at least.")
@JSON
def purge(age: str, as_json: bool) -> None:
    """Delete what is older than AGE.

    It works in small steps that delay nothing else, and tells its progress on standard error. The daily
    report keeps its counts.
    """
    from usecases import retention

    kept = _age(age)
    entries = notifications = 0
    after: str | None = ""
    told = time.monotonic()
    with open_database() as database:
        before = retention.present(database) - kept
        while after is not None:
            began = time.monotonic()
            done = retention.step(database, before=before, after=after, now=retention.present(database))
            entries, notifications = entries + done.entries, notifications + done.notifications
            after = done.after
            if time.monotonic() - told > 1:
                told = time.monotonic()
                click.echo(f"purged so far: entries={entries} notifications={notifications}", err=True)
            if done.entries:
                time.sleep(REST * (time.monotonic() - began))
    counts = {"entries": entries, "notifications": notifications}
    print_facts(counts, as_json, counted(counts))


def _age(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})([dw])", text)
    if found is None:
        raise InvalidInput(problems=[{"loc": ["older-than"], "msg": "write it like 90d or 12w"}])
    return int(found[1]) * AGES[found[2]]


@click.command("grant-reporting", epilog=example("notifier grant-reporting bi"))
@click.argument("role")
def grant_reporting(role: str) -> None:
    """Let a PostgreSQL role read the reporting views.

    It may read nothing else. ROLE is created, without a login, if it does not exist.
    """
    from models.store import grants

    with open_database() as database:
        made = database.run(lambda connection: grants.grant_reporting(connection, role))
    click.echo(f"{role} may read the reports" + (" (created, without a login)" if made else ""))
