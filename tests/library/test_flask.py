"""The Flask extension: settings checked at once, tokens, the bell, sends in the application's session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("flask")

import sqlalchemy as sa
from flask import Flask, render_template_string
from sqlalchemy.orm import scoped_session, sessionmaker

from notifier import Alert
from notifier.alembic import include_object
from notifier.core.errors import SettingError
from notifier.flask import Notifier
from notifier.settings import Settings
from notifier.testing import Notifications
from notifier.tokens import Tokens

SECRET = "a-secret-for-tests-only-0123456789abcdef"
ALERT = Alert(title="Order shipped", message="It is on its way.", type="success")


def make_app(**config: Any) -> Flask:
    app = Flask("shop")
    app.config.update(TESTING=True, NOTIFIER_SECRET=SECRET, **config)
    return app


def test_the_config_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_PORT", "4000")
    monkeypatch.setenv("NOTIFIER_HOST", "0.0.0.0")
    app = make_app(NOTIFIER_PORT=5000, NOTIFIER_ALLOWED_ORIGINS=["https://shop.example"])
    Notifier(app)
    settings: Settings = app.extensions["notifier"].settings
    assert (settings.port, settings.host) == (5000, "0.0.0.0")
    assert settings.allowed_origins == ("https://shop.example",)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"NOTIFIER_SECRET": "short"}, "NOTIFIER_SECRET: must have 32 bytes at least"),
        ({"NOTIFIER_DATABASE_URI": "sqlite://"}, "NOTIFIER_DATABASE_URI: there is no such setting"),
        (
            {"NOTIFIER_CLIENT_URL": "javascript:x"},
            "NOTIFIER_CLIENT_URL: must begin with /, https:// or http://",
        ),
        (
            {"NOTIFIER_DATABASE_URL": "postgresql://h/d", "NOTIFIER_SECRET": ""},
            "NOTIFIER_SECRET: is required (32 bytes at least)",
        ),
    ],
)
def test_a_wrong_setting_is_an_error_when_the_extension_is_set_up(
    config: dict[str, str], message: str
) -> None:
    app = make_app()
    app.config.update(config)
    with pytest.raises(SettingError) as caught:
        Notifier(app)
    assert str(caught.value) == message


def test_a_token_for_the_signed_in_user() -> None:
    app = make_app()
    notifier = Notifier()
    notifier.init_app(app)
    signed_in: list[str | None] = ["user-7"]
    notifier.user_loader(lambda: signed_in[0])
    answer = app.test_client().get("/notifier/token")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert Tokens(SECRET).verify(answer.json["token"]).user_id == "user-7"  # type: ignore[index]
    signed_in[0] = None
    answer = app.test_client().get("/notifier/token")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")


def test_without_flask_login_a_user_loader_is_required() -> None:
    app = make_app()
    Notifier(app)
    with pytest.raises(RuntimeError, match=r"@notifier\.user_loader"):
        app.test_client().get("/notifier/token")


def test_an_application_may_have_a_token_route_of_its_own() -> None:
    app = make_app(NOTIFIER_DATABASE_URL="postgresql://h/d")
    app.config["NOTIFIER_SECRET"] = ""
    Notifier(app, token_url=None)
    assert app.test_client().get("/notifier/token").status_code == 404


def test_the_bell_in_a_template() -> None:
    app = make_app(NOTIFIER_CLIENT_URL="/notify")
    Notifier(app)
    with app.test_request_context():
        assert render_template_string("{{ notification_bell() }}") == (
            '<script type="module" src="/notify/client/bundle/bell.js"></script>'
            '<notification-bell url="/notify" token-url="/notifier/token"></notification-bell>'
        )
        assert 'bell.js" nonce="a&#34;b"></script>' in render_template_string(
            "{{ notification_bell(nonce='a\"b') }}"
        )
        assert 'nonce="n1"' in render_template_string("{{ notification_bell() }}", csp_nonce=lambda: "n1")


def test_a_send_joins_the_applications_session(notifications: Notifications) -> None:
    app = make_app()
    notifier = Notifier(app)
    engine = sa.create_engine("sqlite://")
    session = scoped_session(sessionmaker(engine))
    app.extensions["sqlalchemy"] = SimpleNamespace(session=session)
    with app.app_context():
        notifier.send("ada", ALERT)
        assert len(notifications) == 0
        session.commit()
        notifier.send("bob", ALERT, session=None)
        notifier.send("lost", ALERT)
        session.rollback()
    session.remove()
    engine.dispose()
    assert [sent.recipients for sent in notifications] == [("ada",), ("bob",)]


def test_a_send_of_an_application_without_a_session(notifications: Notifications) -> None:
    app = make_app()
    notifier = Notifier(app)
    with app.app_context():
        notifier.send("ada", ALERT, idempotency_key="k")
    assert notifications[0].key == "k"


@pytest.mark.parametrize("migrate_first", [True, False])
def test_flask_migrate_ignores_our_tables(migrate_first: bool) -> None:
    app = make_app()
    migrate = SimpleNamespace(configure_args={"compare_type": True})
    if migrate_first:
        app.extensions["migrate"] = migrate
    Notifier(app)
    app.extensions["migrate"] = migrate
    with app.app_context():
        pass
    assert migrate.configure_args == {"compare_type": True, "include_object": include_object}


def test_the_commands(notifications: Notifications) -> None:
    app = make_app()
    Notifier(app)
    run = app.test_cli_runner().invoke
    done = run(args=["notifier", "send", "ada", "--title", "Hi", "--message", "m"])
    assert (done.exit_code, done.output.strip()) == (0, notifications[0].id)
    assert run(args=["notifier", "badge", "ada", "messages", "3"]).exit_code == 0
    refused = run(args=["notifier", "badge", "ada", "messages", "--", "-3"])
    assert refused.exit_code == 1
    assert "data.count:" in refused.output
    told = run(args=["notifier", "token", "ada"]).output.strip()
    assert Tokens(SECRET).verify(told).user_id == "ada"
