"""`examples/orders_app.py`: an alert is committed and rolled back with the application's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from examples.orders_app import Base, Order, create_app
from notifier import Alert, send, send_notification
from notifier.outbox.engine import Database
from notifier.settings import Settings
from tests.harness import processes
from tests.harness.backends import Backend
from tests.harness.http_client import Http
from tests.harness.site import running_site
from tests.harness.waiting import free_port, until


class FakeWaker:
    """A waker that keeps what it was asked to wake for."""

    def __init__(self) -> None:
        self.woken: list[str] = []

    def wake(self, id: str, *, bulk: bool = False) -> None:
        self.woken.append(id)


@dataclass
class Shop:
    client: FlaskClient
    engine: sa.Engine
    waker: FakeWaker

    def place(self, **order: Any) -> int:
        return self.client.post("/orders", json=order).status_code

    def orders(self) -> list[str]:
        with Session(self.engine) as session:
            return list(session.scalars(sa.select(Order.item).order_by(Order.id)))

    def accepted(self) -> list[tuple[str, str]]:
        """Return every accepted notification: its id and its title."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT id, data FROM notifier_notifications ORDER BY number"))
            data = sa.JSON().result_processor(self.engine.dialect, None) or (lambda value: value)
            return [
                (str(i), (value if isinstance(value, dict) else data(value))["title"]) for i, value in rows
            ]

    def titles(self) -> list[str]:
        return [title for _, title in self.accepted()]


@pytest.fixture
def shop(database: Database) -> Iterator[Shop]:
    url = database.engine.url.render_as_string(hide_password=False)
    app = create_app(Settings(_env_file=None, database_url=url))  # type: ignore[call-arg]
    engine: sa.Engine = app.extensions["orders.engine"]
    waker = FakeWaker()
    send.use(send.Sender(database, waker))
    yield Shop(app.test_client(), engine, waker)
    send.use(None)
    Base.metadata.drop_all(engine)
    engine.dispose()


def test_a_commit_accepts_the_alert_and_wakes_the_workers(shop: Shop) -> None:
    assert shop.place(customer="ada", item="Lamp") == 201

    assert shop.orders() == ["Lamp"]
    assert shop.titles() == ["Order received"]
    assert shop.waker.woken == [id for id, _ in shop.accepted()]


def test_a_rollback_takes_the_alert_along(shop: Shop) -> None:
    # The alert is stored first; then the table's own constraint refuses the order.
    assert shop.place(customer="ada", item="Lamp", quantity=0) == 422

    assert shop.orders() == []
    assert shop.accepted() == []
    assert shop.waker.woken == []


def test_a_refused_alert_takes_the_order_along(shop: Shop) -> None:
    assert shop.place(customer="no\ncustomer", item="Lamp") == 422

    assert shop.orders() == []
    assert shop.accepted() == []


def test_a_missing_field_is_named(shop: Shop) -> None:
    assert shop.place(item="Lamp") == 422
    assert shop.client.post("/orders", json=["Lamp"]).status_code == 422
    assert shop.client.post("/orders/7/ship").status_code == 404


def test_no_worker_is_woken_before_the_commit(shop: Shop) -> None:
    with Session(shop.engine) as session:
        send_notification("ada", alert("first"), session=session)
        assert shop.waker.woken == []
        session.commit()
        send_notification("ada", alert("second"), session=session)
        assert len(shop.waker.woken) == 1
        session.rollback()

    assert shop.titles() == ["first"]
    assert len(shop.waker.woken) == 1


def test_a_rolled_back_savepoint_takes_only_the_inner_alert_along(shop: Shop) -> None:
    with Session(shop.engine) as session, session.begin():
        send_notification("ada", alert("outer"), session=session)
        savepoint = session.begin_nested()
        send_notification("ada", alert("inner"), session=session)
        savepoint.rollback()
        session.add(Order(customer="ada", item="Lamp", quantity=1))

    assert shop.orders() == ["Lamp"]
    assert shop.titles() == ["outer"]
    assert shop.waker.woken == [shop.accepted()[0][0]]


def test_a_released_savepoint_waits_for_the_outer_commit(shop: Shop) -> None:
    with Session(shop.engine) as session:
        with session.begin_nested():
            send_notification("ada", alert("inner"), session=session)
        assert shop.waker.woken == []
        session.commit()
    assert shop.titles() == ["inner"]
    assert len(shop.waker.woken) == 1


def test_an_outer_rollback_takes_a_released_savepoint_along(shop: Shop) -> None:
    with Session(shop.engine) as session:
        with session.begin_nested():
            send_notification("ada", alert("inner"), session=session)
        session.rollback()

    assert shop.accepted() == []
    assert shop.waker.woken == []


def test_shipping_an_order_reaches_the_customer(backend: Backend, tmp_path: Path) -> None:
    """Run `flask run` beside `notifier up`."""
    with running_site(backend, tmp_path) as site:
        port = free_port()
        words = ["flask", "--app", "examples.orders_app", "run", "--port", str(port)]
        app = processes.command(*words, env=backend.env, log=tmp_path / "orders.log").start()
        shop = Http(f"http://127.0.0.1:{port}")
        try:
            app.wait_logged("Running on")
            with site.socket("ada") as socket:
                order = b'{"customer": "ada", "item": "Lamp"}'
                json_type = {"Content-Type": "application/json"}
                placed = until(lambda: shop.request("POST", "/orders", order, json_type), 10, "placed")
                assert placed.status == 201
                assert socket.expect("event", 30)["data"]["title"] == "Order received"
                number = placed.json["order"]
                assert shop.request("POST", f"/orders/{number}/ship", b"", {}).status == 200
                shipped = socket.expect("event", 30)
            assert shipped["data"]["title"] == "Order Shipped"
            assert shipped["data"]["action"]["url"] == f"/orders/{number}/track"
        finally:
            shop.close()
            app.terminate()


def alert(title: str) -> Alert:
    return Alert(title=title, message="m", type="info")
