"""The operator's page: the present figures, the verdict of each alert rule, and the hours of today."""

from datetime import datetime
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue

from models.store import sockets, status
from models.store.hours import hours
from notifier.outbox.engine import Connection
from notifier.outbox.types import now
from web import metrics
from web.dashboard import figures
from web.dashboard.alert_rules import verdicts
from web.dashboard.chosen import chosen_range, query
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current

OLD = 30  # seconds after which what waits is shown in red, as the rule NotifierWaitingTooOld has it


def present(connection: Connection, at: datetime) -> dict[str, Any]:
    """Return the figures of the tiles that are fetched again and again."""
    backlog = status.backlog(connection)
    age = max(0, int((at - backlog.oldest).total_seconds())) if backlog.oldest else 0
    return {
        "as_of": at, "backlog": backlog, "present": sockets.present(connection, now=at),
        "age": age, "old": age > OLD,
    }  # fmt: skip


@blueprint.get("/night")
@operator()
def night() -> ResponseReturnValue:
    """Show the present figures, and the hours of today."""
    at, today = now(), figures.today()
    with current().database.read() as connection:
        tiles = present(connection, at)
        counts = {row.hour: row for row in hours(connection, today)}
    rows = [
        {"hour": f"{today}T{hour:02}:00Z"}
        | {name: getattr(counts.get(hour), name, 0) for name in ("sent", "delivered", "read")}
        for hour in range(at.hour + 1)
    ]
    kept = query(*chosen_range())
    return render_template("reports/night.html", rows=rows, today=today, rules=_rules(), query=kept, **tiles)


@blueprint.get("/now")
@operator()
def current_figures() -> ResponseReturnValue:
    """Show the tiles alone, and with `rules` what the alert rules say; the pages fetch them every 10 s."""
    with current().database.read() as connection:
        tiles = present(connection, now())
    rules = _rules() if "rules" in request.args else None
    return render_template("reports/now.html", rules=rules, query=query(*chosen_range()), **tiles)


def _rules() -> object:
    return verdicts(metrics.exposition(current().database).decode())
