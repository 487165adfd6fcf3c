"""The search of the support desk, and the page of a user."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from models.store.desk import NEWEST, plain_title
from notifier.core.errors import InvalidInput
from usecases import support
from web.dashboard.chosen import chosen_range, query
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.runtime import current

ENTRIES = 20  # of a page
MAX_SEQ = 2**63 - 1


@blueprint.get("/search")
@operator()
def search() -> ResponseReturnValue:
    """Find users and notifications; a single exact match is shown at once."""
    found = support.search(current().database, request.args.get("q", ""))
    kept = query(*chosen_range())
    if not found.titles and (found.user_id is None) != (found.notification_id is None):
        if found.user_id is not None:
            return redirect(url_for("dashboard.user", user_id=found.user_id, **kept), 303)
        return redirect(url_for("dashboard.timeline", id=found.notification_id, **kept), 303)
    return render_template(
        "reports/search.html", found=found, newest=NEWEST, title_of=plain_title, query=kept, q=found.text
    )


@blueprint.get("/users")
@operator()
def user() -> ResponseReturnValue:
    """Show the facts about a user, and the reason for the state of each of the last entries."""
    found = support.person(
        current().database, request.args.get("user_id", ""),
        limit=ENTRIES, before=seq("before"), after=seq("after"),
    )  # fmt: skip
    return render_template("reports/user.html", person=found, query=query(*chosen_range()), q=found.user_id)


def seq(name: str) -> int | None:
    """Return a seq of the address; None without one. Raises InvalidInput."""
    text = request.args.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= MAX_SEQ):
        raise InvalidInput(problems=[{"loc": [name], "msg": "must be a whole number"}])
    return int(text)
