"""The page of one notification, its recipients, and an operator's way to stop it."""

import logging

from flask import g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from models.store.recipients_of import STATES, recipients_of
from notifier.core.errors import Conflict, Forbidden
from notifier.core.states import CANCELED, EXPIRED, RETRACTED
from notifier.core.timeline import steps
from usecases import withdraw
from usecases.explain import explain
from usecases.notifications import find
from web.dashboard import sessions
from web.dashboard.chosen import chosen_range, query
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current

log = logging.getLogger(__name__)

RECIPIENTS = 20  # of a page
OVER = (CANCELED, RETRACTED, EXPIRED)
DONE = {
    "canceled": "It is canceled: nobody gets it.",
    "retracted": "It is retracted: it is taken back from everybody who had it.",
    "expired": "It has expired; nothing was done.",
}


@blueprint.get("/notifications/<id>")
@operator()
def timeline(id: str) -> ResponseReturnValue:
    """Show a notification: its content, its timeline, its recipients."""
    runtime, user_id = current(), request.args.get("user_id") or None
    found = explain(
        runtime.database, id, user_id, broker_answers=runtime.broker_answers, limit=0
    )  # fmt: skip
    shown = request.args.get("state", "")
    shown = shown if shown in STATES else ""
    with runtime.database.read() as connection:
        page = recipients_of(
            connection, found.timeline.id, shown, limit=RECIPIENTS,
            after=request.args.get("after"), before=request.args.get("before"),
        )  # fmt: skip
    state = found.timeline.status
    return render_template(
        "reports/timeline.html", timeline=found.timeline, why=found.summary, at=found.at,
        steps=steps(found.timeline, found.at), what=find(runtime.database, id), page=page, shown=shown,
        states=STATES, query=query(*chosen_range()), user_id=user_id,
        may_stop=state not in OVER and bool({"admin", "send"} & g.key.scopes),
        done=DONE.get(request.args.get("done", "")),
    )  # fmt: skip


@blueprint.post("/notifications/<id>/cancel")
@operator()
def stop(id: str) -> ResponseReturnValue:
    """Cancel or retract a notification: any with `admin`, what the key itself sent with `send`."""
    sessions.from_our_page()
    if not {"admin", "send"} & g.key.scopes:
        raise Forbidden("this API key lacks the scope send or admin")
    runtime = current()
    sender = None if "admin" in g.key.scopes else str(g.key.name)
    try:
        done = withdraw.cancel(runtime.database, runtime.local_first, runtime.waker, id, sender=sender).status
    except Conflict:
        done = "expired"
    else:
        log.info("stopped by an operator: notification=%s status=%s key=%s", id, done, g.key.name)
    return redirect(
        url_for("dashboard.timeline", id=id, done=done, _anchor="done", **query(*chosen_range())), 303
    )
