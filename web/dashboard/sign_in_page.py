"""Signing in to the dashboard, and out."""

import logging

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from web.dashboard import sessions
from web.dashboard.routes import blueprint
from web.dashboard.sessions import operator
from web.describe import public

log = logging.getLogger(__name__)


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
