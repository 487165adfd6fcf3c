"""The Flask application: the composition root of a web process."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import gevent
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter

from notifier import send
from notifier.broker.publisher import Publisher
from notifier.core.deadline import seconds_left
from notifier.core.errors import DatabaseTimeout, DatabaseUnavailable
from notifier.core.keys import KeyRing
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.failures import unavailable
from notifier.send import Sender
from notifier.settings import Settings
from notifier.tokens import Tokens
from notifier.wake import Waker
from usecases import definitions
from web import (
    api,
    client_files,
    cors,
    dashboard,
    headers,
    health,
    inbox,
    metrics,
    preferences,
    prefix,
    problems,
    push,
    recipients,
    reports,
    revocations,
    socket_route,
    timeline,
    unsubscribe,
)
from web.forwarded import BareAddress
from web.gateway import Gateway
from web.gateway.revocation_list import Revocations
from web.guesses import GuessLimit
from web.jwks import Jwks
from web.limits import post_limit, user_limit
from web.prefix import Prefix
from web.request import WholeRequest
from web.runtime import EXTENSION, WebRuntime

MAX_BODY = 1024 * 1024  # bytes
WRONG_SIGN_INS = 10  # calls of one address within a minute
POOL_SIZE = 10
DATABASE_TIMEOUT = 9.0  # seconds that a call may wait for the database; it must be answered within 10

log = logging.getLogger(__name__)


class NotBatch(BaseConverter):
    """A part of a path that is not `batch`, which has a route of its own and other methods."""

    regex = r"(?!batch$)[^/]+"
    part_isolating = True


def create_app(settings: Settings | None = None) -> Flask:
    """Return the web application; connects to nothing yet.

    Raises SettingError when a secret or the API keys are missing.
    """
    settings = settings or Settings.load()
    metrics.listen()
    app = Flask("web", static_folder=None)
    app.request_class = WholeRequest
    hops = settings.proxy_hops
    app.wsgi_app = Prefix(app.wsgi_app, settings.prefix, hops)  # type: ignore[method-assign]
    if hops:
        inner = BareAddress(app.wsgi_app)
        app.wsgi_app = ProxyFix(inner, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.converters["not_batch"] = NotBatch
    database = Database(
        make_engine(settings.database_url, pool_size=POOL_SIZE), limit=_limited, timeout=DATABASE_TIMEOUT
    )
    publisher = Publisher(settings)
    revocation_list = Revocations(database, settings.revocation_interval)
    tokens = Tokens.from_settings(settings, jwks=Jwks.from_settings(settings), revoked_at=revocation_list.at)
    waker = Waker(settings)
    sender = Sender(database, waker)
    send.use(sender)  # the application's own routes use the same engine and the same waker
    definitions.load(settings)
    app.extensions[EXTENSION] = WebRuntime(
        settings=settings,
        database=database,
        sender=sender,
        waker=waker,
        publisher=publisher,
        tokens=tokens,
        keys=KeyRing(settings.backend_keys()),
        gateway=Gateway(settings, database, publisher, tokens, revocation_list),
        posts=post_limit(settings.posts_per_minute),
        calls=user_limit(settings.calls_per_minute),
        wrong=GuessLimit(settings.wrong_credentials_per_minute),
        wrong_sign_ins=GuessLimit(WRONG_SIGN_INS),
    )
    problems.register(app)
    prefix.register(app)
    cors.register(app)
    headers.register(app)
    for routes in (
        api,
        timeline,
        inbox,
        preferences,
        recipients,
        push,
        unsubscribe,
        reports,
        revocations,
        health,
    ):
        app.register_blueprint(routes.blueprint)
    app.register_blueprint(dashboard.blueprint)
    socket_route.register(app)
    client_files.register(app)
    if settings.demo_on:
        _register_demo(app)
    return app


@contextmanager
def _limited() -> Iterator[None]:
    """Limit a transaction's time, and count it when the database does not answer."""
    with metrics.DATABASE_ERRORS.count_exceptions(DatabaseUnavailable), unavailable(), _in_time():
        yield


@contextmanager
def _in_time() -> Iterator[None]:
    """End a transaction at its call's deadline: a hanging database must not block callers."""
    deadline = time.monotonic() + seconds_left()
    try:
        with gevent.Timeout(seconds_left()):
            yield
    except (gevent.Timeout, Exception) as exc:
        # The timeout itself, or the error that the interrupted driver raised.
        if time.monotonic() < deadline:
            raise
        raise DatabaseTimeout("the database does not answer in time") from exc


def _register_demo(app: Flask) -> None:
    shop = import_module("examples.shop")
    app.register_blueprint(shop.create_blueprint())
