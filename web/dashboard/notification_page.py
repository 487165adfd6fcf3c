"""The page of one notification."""

from flask import render_template, request
from flask.typing import ResponseReturnValue

from notifier.core.timeline import steps
from usecases.explain import explain
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current


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
