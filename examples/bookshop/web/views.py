"""The bookshop's pages. `web/` is a namespace package: it has no __init__.py."""

import secrets

from flask import Blueprint, abort, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required, login_user
from notices import BookReady, notifier

from models import Order, User, db
from notifier import Alert

pages = Blueprint("pages", __name__, template_folder="../templates")


@pages.app_context_processor
def _nonce() -> dict[str, object]:
    g.nonce = g.get("nonce") or secrets.token_urlsafe(16)
    return {"csp_nonce": lambda: g.nonce}


@pages.get("/")
@login_required
def home() -> ResponseReturnValue:
    page = render_template("base.html", name=current_user.name)
    return page, 200, {"Content-Security-Policy": f"script-src 'nonce-{g.nonce}' 'strict-dynamic'"}


@pages.post("/sign-in/<name>")
def sign_in(name: str) -> ResponseReturnValue:
    user = db.session.scalar(db.select(User).filter_by(name=name))
    if user is None:
        user = User(name=name)
        db.session.add(user)
        db.session.commit()
    login_user(user)
    return jsonify(id=user.id)


@pages.post("/orders")
@login_required
def order() -> ResponseReturnValue:
    """The order and its notifications are one transaction: all are there, or none is."""
    wanted = request.get_json()
    placed = Order(customer=current_user.id, book=wanted["book"])
    db.session.add(placed)
    db.session.flush()
    notifier.send(
        current_user.get_id(),
        Alert(
            title="Order received",
            message=f"“{placed.book}” is ours to find now.",
            type="success",
            action={"label": "Look", "url": f"/orders/{placed.id}"},
        ),
    )
    if wanted.get("fails"):
        db.session.rollback()
        abort(409)
    savepoint = db.session.begin_nested()
    notifier.send(current_user.get_id(), BookReady(book=placed.book, counter=7))
    if wanted.get("not_ready"):
        savepoint.rollback()
    else:
        savepoint.commit()
    number = placed.id
    db.session.commit()
    return jsonify(order=number), 201
