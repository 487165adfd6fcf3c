"""The store's databases: a migrated SQLite file and a migrated PostgreSQL database, empty for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from notifier.core.categories import replace_categories
from notifier.outbox.engine import Database, make_engine
from tests.harness import postgres
from tests.harness.people import CATEGORIES, People
from tests.harness.world import World, empty, migrate

DIALECTS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, of which tests get copies."""
    path = tmp_path_factory.mktemp("template") / "notifier.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # a checkpoint must run outside a transaction
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str) -> Iterator[Database]:
    """One migrated PostgreSQL database for the whole run; each test that uses it empties it first."""
    with postgres.fresh_database(postgres_server) as url:
        database = Database(make_engine(url))
        migrate(database.engine)
        yield database
        database.dispose()


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite file for one test."""
    path = shutil.copy(sqlite_template, tmp_path / "notifier.db")
    database = Database(make_engine(f"sqlite:///{path}"))
    yield database
    database.dispose()


@pytest.fixture
def postgres_database(postgres_store: Database) -> Database:
    """The migrated PostgreSQL database, emptied."""
    empty(postgres_store)
    return postgres_store


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest) -> Database:
    """A migrated, empty database of each kind."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    found: Database = request.getfixturevalue(name)
    return found


@pytest.fixture
def world(database: Database) -> World:
    """A world on an empty database of each kind."""
    return World(database)


@pytest.fixture
def people(world: World) -> Iterator[People]:
    """Recipients with addresses, in a world where the categories have channels."""
    world.now = datetime.now(UTC) - timedelta(minutes=5)
    replace_categories({}, CATEGORIES)
    yield People(world)
    replace_categories(CATEGORIES, {})
