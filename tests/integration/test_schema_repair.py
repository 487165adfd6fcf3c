"""`notifier migrate` creates again what another migration dropped, and says what is lost."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from models import schema_repair
from models.migrate import migrate
from models.schema import newest
from models.tables import metadata
from notifier.core.errors import SchemaBeyondRepair
from notifier.outbox.engine import Database, make_engine
from tests.harness.world import real_time_world, settings
from tests.integration.test_migrations import engine, shape  # noqa: F401

VERSION_TABLE = "notifier_alembic_version"


def url(database: sa.Engine) -> str:
    return database.url.render_as_string(hide_password=False)


def run(database: sa.Engine) -> list[str]:
    return list(migrate(settings(database_url=url(database), secret="s" * 32, api_keys="k")))


@pytest.fixture
def migrated(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> sa.Engine:  # noqa: F811
    monkeypatch.setenv("NOTIFIER_DATABASE_URL", url(engine))
    assert run(engine) == []
    return engine


def objects(database: sa.Engine) -> list[schema_repair.Object]:
    """Return every object of the schema, with its definition."""
    with database.connect() as connection:
        home = None if connection.dialect.name == "sqlite" else "public"
        return sorted(schema_repair._objects(connection, home), key=lambda each: each.key)


def drop(database: sa.Engine, *tables: str) -> None:
    """Drop tables as an application's migration does; CASCADE takes our views, too."""
    cascade = " CASCADE" if database.dialect.name == "postgresql" else ""
    with database.begin() as connection:
        for table in tables:
            connection.execute(sa.text(f"DROP TABLE {table}{cascade}"))


def test_a_whole_schema_is_left_as_it_is(migrated: sa.Engine) -> None:
    before = objects(migrated)
    assert run(migrated) == []
    assert objects(migrated) == before


@pytest.mark.parametrize(
    "tables",
    [["notifier_deliveries"], ["notifier_installation", "notifier_restores"], sorted(metadata.tables)],
    ids=["one", "two", "all"],
)
def test_dropped_tables_are_created_again_with_their_indexes_views_and_triggers(
    migrated: sa.Engine, tables: list[str]
) -> None:
    before, looked = objects(migrated), shape(migrated)
    drop(migrated, *reversed([table.name for table in metadata.sorted_tables if table.name in tables]))
    lines = run(migrated)
    assert {line.split()[0] for line in lines if "are lost" in line} == set(tables)
    assert objects(migrated) == before
    assert shape(migrated) == looked
    assert run(migrated) == []


def test_the_version_table_may_be_dropped_too(migrated: sa.Engine) -> None:
    before = objects(migrated)
    drop(migrated, VERSION_TABLE, "notifier_badges")
    assert [line.split()[0] for line in run(migrated)] == ["notifier_badges"]
    assert objects(migrated) == before
    with migrated.connect() as connection:
        assert connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")) == newest()


def test_tables_of_no_known_version_are_not_touched(migrated: sa.Engine) -> None:
    drop(migrated, VERSION_TABLE)
    with migrated.begin() as connection:
        connection.execute(sa.text("ALTER TABLE notifier_badges ADD COLUMN theirs integer"))
    before = objects(migrated)
    with pytest.raises(SchemaBeyondRepair, match="restore a backup"):
        run(migrated)
    assert objects(migrated) == before


def test_what_is_sent_after_the_repair_reaches_clients_that_knew_the_lost_log(migrated: sa.Engine) -> None:
    world = real_time_world(Database(make_engine(url(migrated))))
    for _ in range(3):
        world.send("u1")
    world.dispatch()
    drop(migrated, "notifier_deliveries", "notifier_inboxes")
    assert any("will be reset" in line for line in run(migrated))
    world.send("u1")
    world.dispatch()
    assert world.head("u1")[0] > 1_000_000, "beyond anything that a client has seen"
    world.database.engine.dispose()


def test_an_empty_database_has_nothing_to_repair(engine: sa.Engine) -> None:  # noqa: F811
    with engine.begin() as connection:
        assert schema_repair.repair(connection) == []
