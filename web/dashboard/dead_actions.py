"""An operator's actions on dead notifications: replay, drop."""

import logging

from flask import g, redirect, url_for
from flask.typing import ResponseReturnValue

from notifier.core.errors import NotFound
from usecases import notifications
from web.dashboard import sessions
from web.dashboard.chosen import chosen_range, query
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current

log = logging.getLogger(__name__)

DONE = {
    "replayed": "It waits again, as if it had just been accepted.",
    "dropped": "It is dropped.",
    "gone": "It is not dead any more; nothing was done.",
    "reached": "It has reached some of its recipients, or is not dead: it cannot be dropped. Replay it.",
}


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
    log.info("replayed by an operator: notification=%s key=%s", known, g.key.name)
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
    log.info("dropped by an operator: notification=%s key=%s", known, g.key.name)
    return _back("dropped")


def _back(done: str) -> ResponseReturnValue:
    chosen, stage = chosen_range()
    return redirect(url_for("dashboard.show", done=done, _anchor="done", **query(chosen, stage)), 303)
