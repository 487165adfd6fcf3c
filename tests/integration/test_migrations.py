"""Migrations go up, down and up again on both databases, and make exactly our tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Engine

from models.tables import metadata
from notifier.outbox.engine import make_engine
from notifier.outbox.sqlite_session import BLOCKING_MS
from tests.harness.world import alembic_config, migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        url = request.getfixturevalue("postgres_url")
    engine = make_engine(url)
    yield engine
    engine.dispose()


def condition(index: Any) -> object:
    """Return the condition of a partial index."""
    options = index.get("dialect_options", {})
    return options.get("sqlite_where", options.get("postgresql_where"))


def shape(engine: Engine) -> dict[str, object]:
    """Return the structure of our tables, as the database reports it."""
    look = sa.inspect(engine)
    return {
        table: {
            "columns": [
                (c["name"], str(c["type"]), c["nullable"], c["default"]) for c in look.get_columns(table)
            ],
            "primary key": look.get_pk_constraint(table),
            "foreign keys": look.get_foreign_keys(table),
            "indexes": sorted(
                (index["name"], index["column_names"], str(condition(index)))
                for index in look.get_indexes(table)
            ),
            "unique": sorted(str(unique) for unique in look.get_unique_constraints(table)),
            "checks": sorted(str(check["name"]) for check in look.get_check_constraints(table)),
        }
        for table in sorted(look.get_table_names())
        if table != "notifier_alembic_version"
    }


def leftovers(engine: Engine) -> list[str]:
    look = sa.inspect(engine)
    return sorted({*look.get_table_names(), *look.get_view_names()} - {"notifier_alembic_version"})


def test_up_down_and_up_again(engine: Engine) -> None:
    migrate(engine)
    first = shape(engine)
    assert set(metadata.tables) <= set(first)
    migrate(engine, "base")
    assert leftovers(engine) == []
    migrate(engine)
    assert shape(engine) == first


def test_up_a_second_time_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    first = shape(engine)
    migrate(engine)
    assert shape(engine) == first


def test_each_step_can_be_undone_by_itself(engine: Engine) -> None:
    revisions = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()]
    before: list[dict[str, object]] = []
    for revision in reversed(revisions):
        before.append(shape(engine))
        migrate(engine, revision)
    from alembic import command

    for expected in reversed(before):
        config = alembic_config()
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "-1")
            connection.commit()
        assert shape(engine) == expected


def test_the_migrations_make_the_tables_of_the_models(engine: Engine) -> None:
    """This is what `alembic check` does."""
    migrate(engine)
    with engine.connect() as connection:
        opts = {"compare_type": True, "version_table": "notifier_alembic_version"}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []


def test_an_application_keeps_its_own_tables_and_its_own_alembic_beside_ours(engine: Engine) -> None:
    from alembic import command

    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE orders (id integer PRIMARY KEY)"))
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num varchar(32))"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('theirs')"))
    migrate(engine)
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.check(config)  # raises when it would change something
    migrate(engine, "base")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT version_num FROM alembic_version")) == "theirs"
    assert leftovers(engine) == ["alembic_version", "orders"]


def test_a_database_made_from_the_models_has_the_same_shape(engine: Engine, tmp_path: Path) -> None:
    migrate(engine)
    migrated = shape(engine)
    migrate(engine, "base")
    metadata.create_all(engine)
    made = shape(engine)
    assert {table: migrated[table] for table in made} == made


def test_every_constraint_has_a_name(engine: Engine) -> None:
    migrate(engine)
    look = sa.inspect(engine)
    for table in metadata.tables:
        names = [look.get_pk_constraint(table)["name"]]
        counted = metadata.tables[table].dialect_options["sqlite"]["autoincrement"]
        if engine.dialect.name == "sqlite" and counted:
            names = []  # SQLite generates numbers only for an INTEGER PRIMARY KEY of a column, which has no name
        names += [one["name"] for one in look.get_foreign_keys(table)]
        names += [one["name"] for one in look.get_unique_constraints(table)]
        names += [one["name"] for one in look.get_check_constraints(table)]
        names += [one["name"] for one in look.get_indexes(table)]
        assert all(names), f"{table}: {names}"
        for name in names:
            assert str(name).startswith(f"{table}_"), name


def test_there_is_one_head_and_one_base() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert len(script.get_heads()) == len(script.get_bases()) == 1


def test_sqlite_is_set_up_to_survive_a_power_cut_and_to_check_its_keys(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'folder' / 'made.db'}")
    with engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    engine.dispose()
    assert found == ["wal", 2, 1, BLOCKING_MS]
