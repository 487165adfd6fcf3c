"""The demo shop: a small blueprint that shows how a Flask application uses live notifications.

`app.register_blueprint(create_blueprint())` serves a page at `/` with a few customers, their orders
and each customer's bell. Shipping an order calls `send_notification`, the steppers call `update_badge`:
the two calls of the README, from ordinary views. Nothing here is for production: it hands out user
tokens for its own fixed customers to anybody who asks.
"""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    jsonify,
    render_template,
    request,
    send_from_directory,
    url_for,
)

from examples.shop.categories import ORDERS
from examples.shop.mailbox import add_mailbox
from examples.shop.notices import NOTICES, tell
from examples.shop.orders import CUSTOMERS, Customer, Order, Orders
from notifier import Alert, send_notification, update_badge

HERE = Path(__file__).parent
ASSETS = frozenset({"happened.js", "icon.svg", "shop.css", "shop.js", "steppers.js", "theme.js"})
BADGES = ("messages", "notifications", "tasks")
MOST = 2**31 - 1  # the contract's upper bound of a badge
TOKEN_TTL = 3_600  # seconds
# Nothing inline and nothing from other sites, as docs/client.md recommends.
POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; object-src 'none'"

Mint = Callable[[str, int], str]


def _mint(user_id: str, ttl: int) -> str:
    token: str = current_app.extensions["notifier"].tokens.mint(user_id, ttl)
    return token


def _mail_folder() -> Path:
    folder: Path = current_app.extensions["notifier"].settings.var_dir
    return folder / "mail"


def create_blueprint(orders: Orders | None = None, mint: Mint = _mint) -> Blueprint:
    """Return the demo's routes, at `/`, `/orders/…` and `/shop/…`.

    Args:
        orders: the shop's orders; by default the demo's.
        mint: makes a user token for a customer's id and a time to live in seconds.
    """
    book = orders or Orders()
    shop = Blueprint("shop", __name__, template_folder=".")

    @shop.get("/")
    def index() -> str:
        customer = _customer(request.args.get("customer", CUSTOMERS[0].id))
        return render_template(
            "shop.html", customers=CUSTOMERS, customer=customer, orders=book.of(customer), badges=BADGES
        )

    @shop.post("/orders/<int:order_id>/ship")
    def ship(order_id: int) -> Response:
        order = _order(book, order_id)
        with book.shipping(order) as first:
            if not first:
                abort(409)
            send_notification(
                order.customer.id,
                Alert(
                    title="Order Shipped",
                    message=f"Your order #{order.id} has been shipped!",
                    type="success",
                    action={"label": "Track Order", "url": url_for("shop.track", order_id=order.id)},
                ),
                category=ORDERS,
            )
        return jsonify(status=True)

    @shop.get("/orders/<int:order_id>/track")
    def track(order_id: int) -> str:
        return render_template("track.html", order=_order(book, order_id))

    @shop.get("/shop/theme")
    def theme() -> str:
        customer = _customer(request.args.get("customer", CUSTOMERS[0].id))
        return render_template("theme.html", customer=customer)

    @shop.post("/shop/orders")
    def order() -> Response:
        return jsonify(id=book.place(_customer(_field("customer"))).id)

    @shop.post("/shop/badges")
    def badge() -> Response:
        kind, count = _field("type"), _field("count")
        if kind not in BADGES or type(count) is not int or not 0 <= count <= MOST:
            abort(422)
        update_badge(_customer(_field("customer")).id, kind, count)
        return jsonify(status=True)

    @shop.post("/shop/notices")
    def notice() -> Response:
        kind = _field("kind")
        if not isinstance(kind, str) or kind not in NOTICES:
            abort(422)
        tell(_customer(_field("customer")).id, kind)
        return jsonify(status=True)

    @shop.get("/shop/token")
    def token() -> Response:
        customer = _customer(request.args.get("customer"))
        response = jsonify(token=mint(customer.id, TOKEN_TTL))
        response.headers["Cache-Control"] = "no-store"
        return response

    @shop.get("/shop/plain.html")
    def plain() -> Response:
        """Serve the second example, a single file; its inline script is allowed by its hash."""
        page = (HERE / "plain.html").read_text("utf-8")
        script = page.partition('<script type="module">')[2].partition("</script>")[0]
        digest = b64encode(sha256(script.encode()).digest()).decode()
        response = Response(page, mimetype="text/html")
        response.headers["Content-Security-Policy"] = f"{POLICY}; script-src 'self' 'sha256-{digest}'"
        return response

    @shop.get("/shop/code")
    def code() -> Response:
        """Show the code of this page."""
        return Response(Path(__file__).read_text("utf-8"), mimetype="text/plain")

    @shop.get("/shop/<name>")
    def asset(name: str) -> Response:
        if name not in ASSETS:
            abort(404)
        return send_from_directory(HERE, name, max_age=0)

    add_mailbox(shop, _mail_folder)

    @shop.after_request
    def protect(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    return shop


def _field(name: str) -> object:
    body = request.get_json()
    return body.get(name) if isinstance(body, dict) else None


def _customer(customer_id: object) -> Customer:
    return next((known for known in CUSTOMERS if known.id == customer_id), None) or abort(404)


def _order(book: Orders, order_id: int) -> Order:
    return book.find(order_id) or abort(404)
