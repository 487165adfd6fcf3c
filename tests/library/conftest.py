"""Fixtures: a database with the library's tables on SQLite and PostgreSQL, and a fresh process state."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from notifier import send
from notifier.outbox.engine import make_engine
from notifier.outbox.tables import metadata

SERVER = os.environ.get("NOTIFIER_TEST_POSTGRES", "postgresql+psycopg://127.0.0.1:5432/postgres")


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test begin like a new process in an empty folder."""
    for name in [name for name in os.environ if name.startswith("NOTIFIER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    send.use(None)
    yield
    if send._default is not None:
        send._default.database.dispose()
    send.use(None)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that has the library's tables."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'var' / 'notifier.db'}"
        _make_tables(url)
        yield url
        return
    server = sa.create_engine(SERVER, isolation_level="AUTOCOMMIT")
    name = f"library_{secrets.token_hex(6)}"
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"))
    except sa.exc.OperationalError:
        if os.environ.get("CI"):
            raise
        pytest.skip("no PostgreSQL here")
    try:
        url = sa.engine.make_url(SERVER).set(database=name).render_as_string(hide_password=False)
        _make_tables(url)
        yield url
    finally:
        with server.connect() as connection:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


def _make_tables(url: str) -> None:
    engine = make_engine(url)
    metadata.create_all(engine)
    engine.dispose()


@pytest.fixture
def configured(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, set in the environment."""
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", database_url)
    return database_url


@pytest.fixture
def own_engine(configured: str) -> Iterator[sa.Engine]:
    """An engine as an application makes it, on the database of the settings."""
    engine = sa.create_engine(configured)
    yield engine
    engine.dispose()
