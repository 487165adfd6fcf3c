"""A Flask application that sends notifications for its orders with three lines of code.

The lines are the import, a send inside the application's transaction, and a send without one.

    notifier up                                            # in one terminal
    flask --app examples.orders_app run --port 5001        # in another
    curl localhost:5001/orders -H 'Content-Type: application/json' -d '{"customer": "ada", "item": "Lamp"}'
    curl -X POST localhost:5001/orders/1/ship

It uses the service's settings for the database and the broker (NOTIFIER_DATABASE_URL, NOTIFIER_BROKER_URL),
because an order and its alert can share a transaction only in one database.
"""

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, ValidationError
from sqlalchemy import CheckConstraint
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from werkzeug.exceptions import HTTPException

from notifier import Alert, InvalidInput, send_notification
from notifier.outbox.engine import make_engine
from notifier.settings import Settings


class Base(DeclarativeBase):
    """The application's own tables."""


class Order(Base):
    """An order of a customer."""

    __tablename__ = "orders"
    __table_args__ = (CheckConstraint("quantity > 0", name="ck_orders_quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    item: Mapped[str]
    quantity: Mapped[int]
    shipped: Mapped[bool] = mapped_column(default=False)


class NewOrder(BaseModel):
    """The body of a request to buy something."""

    customer: str
    item: str
    quantity: int = 1


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application; create its table if it does not exist."""
    settings = settings or Settings.load()
    # Any engine on the same database works. This one also begins transactions on SQLite explicitly, which
    # savepoints need (docs/python-api.md).
    engine = make_engine(settings.database_url)
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    app = Flask(__name__)
    app.extensions["orders.engine"] = engine

    @app.post("/orders")
    def place() -> tuple[Response, int]:
        """Store an order and its alert in one transaction: either both exist, or neither."""
        wanted = NewOrder.model_validate(request.get_json())
        with sessions.begin() as session:
            alert = Alert(title="Order received", message=f"{wanted.quantity} of {wanted.item}", type="info")
            send_notification(wanted.customer, alert, session=session)
            order = Order(**wanted.model_dump())
            session.add(order)
            session.flush()
            number = order.id
        return jsonify(order=number), 201

    @app.post("/orders/<int:number>/ship")
    def ship(number: int) -> tuple[Response, int]:
        """Ship an order, then notify its customer."""
        with sessions.begin() as session:
            order = session.get(Order, number)
            if order is None:
                return jsonify(error="there is no such order"), 404
            order.shipped = True
            customer, item = order.customer, order.item
        alert = Alert(
            title="Order Shipped",
            message=f"{item} is on its way.",
            type="success",
            action={"label": "Track Order", "url": f"/orders/{number}/track"},
        )
        send_notification(customer, alert)
        return jsonify(status=True), 200

    @app.errorhandler(IntegrityError)
    def refused(_error: IntegrityError) -> tuple[Response, int]:
        return jsonify(error="an order has a quantity above 0"), 422

    @app.errorhandler(InvalidInput)
    def invalid(error: InvalidInput) -> tuple[Response, int]:
        return jsonify(error=error.detail, problems=error.problems), 422

    @app.errorhandler(ValidationError)
    def incomplete(error: ValidationError) -> tuple[Response, int]:
        return jsonify(error="an order has a customer and an item", count=error.error_count()), 422

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    return app
