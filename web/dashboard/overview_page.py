"""The dashboard's first page, and the CSV of its figures."""

import io

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue

from models.store.dashboard_lists import LISTINGS
from notifier.core.errors import InvalidInput, NotFound
from notifier.core.text_output import write_csv
from notifier.outbox.types import now
from web.dashboard import figures
from web.dashboard.chosen import chosen_range, query, what_is_wrong
from web.dashboard.dead_actions import DONE
from web.dashboard.figures import LABELS
from web.dashboard.list_page import cursor_of, list_csv
from web.dashboard.night_page import present
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current


@blueprint.get("")
@operator()
def show() -> ResponseReturnValue:
    """Show the dashboard."""
    chosen, stage = chosen_range()
    wrong, at = what_is_wrong(), now()
    typed = {name: request.args.get(name, "") for name in ("since", "until")} if wrong else {}
    with current().database.read() as connection:
        page = figures.page(connection, chosen, stage, at)
        tiles = present(connection, at)
    return render_template(
        "reports/dashboard.html", page=page, chosen=chosen, stage=stage, labels=LABELS, today=figures.today(),
        may_do="admin" in g.key.scopes, done=DONE.get(request.args.get("done", "")),
        query=query(chosen, stage), cursor_of=cursor_of, wrong=wrong, typed=typed,
        presets=figures.presets(figures.today()), rules=None, **tiles,
    )  # fmt: skip


@blueprint.get("/<name>.csv")
@operator()
def data(name: str) -> ResponseReturnValue:
    """Return a figure's rows as CSV."""
    chosen, stage = chosen_range()
    if wrong := what_is_wrong():
        raise InvalidInput(wrong)
    if name in LISTINGS:
        return list_csv(name)
    with current().database.read() as connection:
        found = figures.figure(connection, name, chosen, stage)
    if found is None:
        raise NotFound("there is no such figure")
    out = io.StringIO()
    write_csv(found.columns, found.rows, out)
    response = Response(out.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{name}-{chosen.since}-{chosen.until}.csv"'
    )
    return response
