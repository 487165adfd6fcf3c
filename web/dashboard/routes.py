"""The dashboard's blueprint: its headers, its errors, its files and how its pages write values."""

from datetime import UTC, date, datetime
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, send_from_directory
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from notifier.core.errors import NotFound, NotifierError, OverLimit, Unavailable
from web.dashboard import sessions
from web.describe import public

HERE = Path(__file__).parent
ASSETS = {
    "dashboard.css": "assets",
    "dashboard.js": "assets",
    "desk.css": "assets",
    "now.js": "assets",
    "times.js": "assets",
    "icon.svg": "assets",
    "uPlot.iife.min.js": "vendor/uplot",
    "uPlot.min.css": "vendor/uplot",
}
# Nothing inline, nothing from other sites, and no text that becomes markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
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


@blueprint.get("/assets/<name>")
@public
def asset(name: str) -> ResponseReturnValue:
    """Serve the files of the pages."""
    if name not in ASSETS:
        raise NotFound("there is no such file")
    return send_from_directory(HERE / ASSETS[name], name, max_age=0)


@blueprint.app_template_filter("moment")
def _moment(value: datetime | date | None) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value.isoformat() if value else NOTHING


@blueprint.app_template_filter("time")
def _time(value: datetime | None) -> Markup | str:
    """Return a moment in UTC as an element; a script adds the viewer's own time as its title."""
    if value is None:
        return NOTHING
    written = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        written.isoformat(timespec="milliseconds"), _moment(value), _moment(value)
    )


@blueprint.app_template_filter("from_ms")
def _from_ms(value: int) -> datetime:
    return datetime.fromtimestamp(value / 1000, UTC)


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
