"""The bookshop's own tests: no service, no database server, no broker."""

import pytest
from app import create_app
from flask.testing import FlaskClient

from models import db


@pytest.fixture
def client() -> FlaskClient:
    app = create_app(TESTING=True, SQLALCHEMY_DATABASE_URI="sqlite://")
    with app.app_context():
        db.create_all()
        yield app.test_client()


def test_an_order_is_told(client, notifications):
    user_id = str(client.post("/sign-in/ada").json["id"])
    assert client.post("/orders", json={"book": "Emma"}).status_code == 201
    received, ready = notifications
    assert (received.recipients, received.data["title"]) == ((user_id,), "Order received")
    assert (ready.event, ready.data) == ("book-ready", {"book": "Emma", "counter": 7})


def test_an_order_that_fails_is_not_told(client, notifications):
    client.post("/sign-in/ada")
    assert client.post("/orders", json={"book": "Emma", "fails": True}).status_code == 409
    assert list(notifications) == []


def test_a_savepoint_takes_its_own_along(client, notifications):
    client.post("/sign-in/ada")
    client.post("/orders", json={"book": "Emma", "not_ready": True})
    assert [sent.event for sent in notifications] == ["alert"]
