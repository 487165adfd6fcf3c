"""The dashboard's pages, its CSV, and an operator's actions: replay and drop dead notifications."""

import io
import logging
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Response,
    g,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flask.typing import ResponseReturnValue

from notifier.core.errors import NotFound, NotifierError, OverLimit, Unavailable
from notifier.core.text_output import write_csv
from notifier.core.timeline import steps
from notifier.outbox.types import now
from usecases import notifications
from usecases.explain import explain
from web.dashboard import figures, sessions
from web.dashboard.figures import LABELS, Range
from web.dashboard.sessions import operator
from web.describe import public
from web.runtime import current

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
ASSETS = {
    "dashboard.css": "assets",
    "dashboard.js": "assets",
    "icon.svg": "assets",
    "uPlot.iife.min.js": "vendor/uplot",
    "uPlot.min.css": "vendor/uplot",
}
# Nothing inline, nothing from other sites, and no text that becomes markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
DONE = {
    "replayed": "It waits again, as if it had just been accepted.",
    "dropped": "It is dropped.",
    "gone": "It is not dead any more; nothing was done.",
    "reached": "It has reached some of its recipients, or is not dead: it cannot be dropped. Replay it.",
}
NOTHING = "\N{EN DASH}"

blueprint = Blueprint("dashboard", __name__, url_prefix=sessions.PATH, template_folder="templates")


@blueprint.after_request
def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@blueprint.errorhandler(NotifierError)
def _refused(error: NotifierError) -> ResponseReturnValue:
    response = make_response(render_template("reports/refused.html", error=error), error.status)
    if isinstance(error, Unavailable | OverLimit):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


# ---------------------------------------------------------------------- in and out


@blueprint.get("/sign-in")
@public
def enter() -> ResponseReturnValue:
    """Show the form that asks for an API key."""
    return (
        redirect(url_for("dashboard.show"), 303)
        if sessions.signed_in()
        else render_template("reports/sign_in.html")
    )


@blueprint.post("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    """Sign in with an API key."""
    sessions.from_our_page()
    response = make_response(redirect(url_for("dashboard.show"), 303))
    if sessions.sign_in(response, request.form.get("key", "").strip()):
        log.info("signed in to the reports: address=%s", request.remote_addr)
        return response
    log.warning("sign-in to the reports refused: address=%s", request.remote_addr)
    return render_template("reports/sign_in.html", wrong=True), 401


@blueprint.post("/sign-out")
@operator()
def sign_out() -> ResponseReturnValue:
    """Sign out."""
    sessions.from_our_page()
    response = make_response(redirect(url_for("dashboard.enter"), 303))
    sessions.sign_out(response)
    return response


@blueprint.get("/assets/<name>")
@public
def asset(name: str) -> ResponseReturnValue:
    """Serve the files of the pages."""
    if name not in ASSETS:
        raise NotFound("there is no such file")
    return send_from_directory(HERE / ASSETS[name], name, max_age=0)


# ---------------------------------------------------------------------- looking


@blueprint.get("")
@operator()
def show() -> ResponseReturnValue:
    """Show the dashboard."""
    chosen, stage = _chosen()
    with current().database.read() as connection:
        page = figures.page(connection, chosen, stage, now())
    return render_template(
        "reports/dashboard.html", page=page, chosen=chosen, stage=stage, labels=LABELS, today=figures.today(),
        may_do="admin" in g.key.scopes, done=DONE.get(request.args.get("done", "")),
        query=_query(chosen, stage),
    )  # fmt: skip


@blueprint.get("/<name>.csv")
@operator()
def data(name: str) -> ResponseReturnValue:
    """Return a figure's rows as CSV."""
    chosen, stage = _chosen()
    with current().database.read() as connection:
        found = figures.figure(connection, name, chosen, stage, now())
    if found is None:
        raise NotFound("there is no such figure")
    out = io.StringIO()
    write_csv(found.columns, found.rows, out)
    response = Response(out.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = (
        f'attachment; filename="{name}-{chosen.since}-{chosen.until}.csv"'
    )
    return response


@blueprint.get("/notifications/<id>")
@operator()
def timeline(id: str) -> ResponseReturnValue:
    """Show one notification's timeline."""
    runtime = current()
    found = explain(
        runtime.database, id, request.args.get("user_id") or None,
        broker_answers=runtime.broker_answers, limit=0,
    )  # fmt: skip
    return render_template(
        "reports/timeline.html", timeline=found.timeline, why=found.summary, at=found.at,
        steps=steps(found.timeline, found.at),
    )  # fmt: skip


# ---------------------------------------------------------------------- doing


@blueprint.post("/dead/<id>/replay")
@operator("admin")
def replay(id: str) -> ResponseReturnValue:
    """Queue a dead notification again."""
    sessions.from_our_page()
    known = notifications.known_id(id)
    try:
        notifications.replay(current().database, current().waker, known)
    except NotFound:
        return _back("gone")
    log.info("replayed by hand: notification=%s key=%s", known, g.key.name)
    return _back("replayed")


@blueprint.post("/dead/<id>/drop")
@operator("admin")
def drop(id: str) -> ResponseReturnValue:
    """Delete a dead notification that reached no recipient."""
    sessions.from_our_page()
    known = notifications.known_id(id)
    try:
        notifications.drop(current().database, known)
    except NotFound:
        return _back("reached")
    log.info("dropped by hand: notification=%s key=%s", known, g.key.name)
    return _back("dropped")


def _back(done: str) -> ResponseReturnValue:
    chosen, stage = _chosen()
    return redirect(url_for("dashboard.show", done=done, _anchor="done", **_query(chosen, stage)), 303)


def _chosen() -> tuple[Range, str]:
    stage = request.args.get("stage", "")
    chosen = Range.chosen(request.args.get("since"), request.args.get("until"), figures.today())
    return chosen, stage if stage in LABELS else "accepted_to_delivered"


def _query(chosen: Range, stage: str) -> dict[str, Any]:
    return {"since": chosen.since.isoformat(), "until": chosen.until.isoformat(), "stage": stage}


@blueprint.app_template_filter("moment")
def _moment(value: datetime | date | None) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if value else NOTHING


@blueprint.app_template_filter("number")
def _number(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


@blueprint.app_template_filter("ms")
def _ms(value: int | None) -> str:
    """Return milliseconds in readable form."""
    if value is None:
        return NOTHING
    if value < 1_000:
        return f"{value} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    return f"{value / 60_000:.1f} min" if value < 3_600_000 else f"{value / 3_600_000:.1f} h"
