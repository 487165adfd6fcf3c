"""Create again what an application's migration dropped of our schema.

An application's `alembic revision --autogenerate` without our `include_object` drops every table that it
does not know. SQLite allows it; PostgreSQL refuses because of our views, unless the drops have CASCADE. The
reference is what our own migrations create, run to the database's revision in a scratch place: an in-memory
database for SQLite, a schema of its own for PostgreSQL. Rows of dropped tables are lost; `repair`
returns the names of these tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from models.schema import MIGRATIONS, VERSION, VERSION_TABLE, newest
from models.tables import metadata
from notifier.core.errors import SchemaBeyondRepair

SCRATCH = "notifier_scratch"
OURS = "notifier_%"

# Each row: kind, name, the table it belongs to, its definition. In the order of creation.
SQLITE_OBJECTS = sa.text("""
    SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name LIKE :ours AND sql IS NOT NULL
    ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid""")
POSTGRES_OBJECTS = sa.text("""
    SELECT kind, name, owner, definition FROM (
        SELECT 0 AS step, c.oid, 'table' AS kind, c.relname AS name, c.relname AS owner, '' AS definition
          FROM pg_class c WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r'
        UNION ALL
        SELECT 1, x.indexrelid, 'index', c.relname, t.relname, pg_get_indexdef(x.indexrelid)
          FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
         WHERE c.relnamespace = CAST(:schema AS regnamespace)
           AND NOT EXISTS (SELECT 1 FROM pg_constraint k
                            WHERE k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x'))
        UNION ALL
        SELECT CASE k.contype WHEN 'f' THEN 3 ELSE 2 END, k.oid, 'constraint', k.conname, t.relname,
               format('ALTER TABLE %s ADD CONSTRAINT %I %s',
                      k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
          FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
         WHERE t.relnamespace = CAST(:schema AS regnamespace) AND k.contype IN ('p', 'u', 'c', 'f')
        UNION ALL
        SELECT 4, p.oid, 'function', p.proname, p.proname, pg_get_functiondef(p.oid)
          FROM pg_proc p WHERE p.pronamespace = CAST(:schema AS regnamespace)
        UNION ALL
        SELECT 5, c.oid, 'view', c.relname, c.relname,
               format('CREATE VIEW %s AS %s', c.oid::regclass, pg_get_viewdef(c.oid))
          FROM pg_class c WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'v'
        UNION ALL
        SELECT 6, g.oid, 'trigger', g.tgname, t.relname, pg_get_triggerdef(g.oid, true)
          FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
         WHERE t.relnamespace = CAST(:schema AS regnamespace) AND NOT g.tgisinternal
    ) AS objects WHERE name LIKE :ours ORDER BY step, oid""")


@dataclass(frozen=True)
class Object:
    """A table, index, constraint, function, view or trigger, with the statement that creates it."""

    kind: str
    name: str
    owner: str
    definition: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Its identity among all objects."""
        return self.kind, self.name, self.owner


def repair(connection: Connection) -> list[str]:
    """Create what is missing of the schema at the database's revision; return the tables that are now empty.

    Does nothing in a database that has none of our tables, or all of them. If the version table is gone too,
    the revision is the newest one that the remaining tables match.

    Raises:
        SchemaBeyondRepair: The remaining tables match no known revision.
    """
    inspector = sa.inspect(connection)
    tables = {name for name in inspector.get_table_names() if name.startswith("notifier_")}
    revision = connection.scalar(sa.select(VERSION.c.version_num)) if VERSION_TABLE in tables else None
    if revision is None and not tables - {VERSION_TABLE}:
        return []
    if revision == newest() and set(metadata.tables) <= tables:
        return []
    script = ScriptDirectory(str(MIGRATIONS))
    known = [each.revision for each in script.walk_revisions()]
    if revision is not None and revision not in known:
        return []  # a later version's
    scratch = _in_memory if connection.dialect.name == "sqlite" else _in_a_schema
    for candidate in [revision] if revision else known:
        with scratch(connection, candidate) as reference:
            if revision is None and not _fits(connection, reference, tables):
                continue
            lost = _create_missing(connection, reference)
            if revision is None:
                _stamp(connection, candidate)
            return lost

    raise SchemaBeyondRepair(
        f"{VERSION_TABLE} is gone, and the other tables match no known version;"
        " restore a backup: docs/runbook.md"
    )


@dataclass(frozen=True)
class Reference:
    """The schema of one revision as our migrations create it, with its objects."""

    connection: Connection
    objects: list[Object]

    def columns(self) -> dict[str, set[str]]:
        """Return the names of each table's columns."""
        return _columns(self.connection, SCRATCH if self.connection.dialect.name == "postgresql" else None)


def _objects(connection: Connection, schema: str | None) -> list[Object]:
    if connection.dialect.name == "sqlite":
        return [Object(*row) for row in connection.execute(SQLITE_OBJECTS, {"ours": OURS})]
    return [Object(*row) for row in connection.execute(POSTGRES_OBJECTS, {"ours": OURS, "schema": schema})]


def _columns(connection: Connection, schema: str | None) -> dict[str, set[str]]:
    inspector = sa.inspect(connection)
    inspector.clear_cache()
    return {
        table: {column["name"] for column in inspector.get_columns(table, schema)}
        for table in inspector.get_table_names(schema)
        if table.startswith("notifier_")
    }


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def _in_memory(_connection: Connection, revision: str) -> Iterator[Reference]:
    with sa.create_engine("sqlite://").connect() as scratch:
        _upgrade(scratch, revision)
        yield Reference(scratch, _objects(scratch, None))


@contextmanager
def _in_a_schema(connection: Connection, revision: str) -> Iterator[Reference]:
    home = _current_schema(connection)
    _sql(connection, f"CREATE SCHEMA {SCRATCH}")
    _sql(connection, f"SET LOCAL search_path = {SCRATCH}")
    _upgrade(connection, revision)
    objects = _objects(connection, SCRATCH)  # while it is on the path, so that definitions name no schema
    _sql(connection, f'SET LOCAL search_path = "{home}"')
    yield Reference(connection, objects)
    _sql(connection, f"DROP SCHEMA {SCRATCH} CASCADE")


def _sql(connection: Connection, statement: str) -> None:
    escape = connection.dialect.paramstyle == "pyformat"
    connection.exec_driver_sql(statement.replace("%", "%%") if escape else statement)


def _fits(connection: Connection, reference: Reference, tables: set[str]) -> bool:
    """Return whether the remaining tables have exactly the columns of the reference."""
    expected, found = reference.columns(), _columns(connection, None)
    return all(found[table] == expected.get(table) for table in tables)


def _create_missing(connection: Connection, reference: Reference) -> list[str]:
    home = "" if connection.dialect.name == "sqlite" else _current_schema(connection)
    present = {each.key for each in _objects(connection, home)}
    missing = [each for each in reference.objects if each.key not in present]
    tables = [each.name for each in missing if each.kind == "table" and each.name != VERSION_TABLE]
    if connection.dialect.name == "sqlite":
        for each in missing:
            _sql(connection, each.definition)
        for table in tables:
            _copy_rows(reference.connection, connection, table)
        return tables
    for table in (each.name for each in missing if each.kind == "table"):
        _move_table(connection, reference, table, home)
    moved = {*tables, VERSION_TABLE}
    for each in missing:
        came_along = each.owner in moved and each.kind in ("table", "index", "constraint")
        if each.kind == "table" or (came_along and "FOREIGN KEY" not in each.definition):
            continue
        _sql(connection, each.definition.replace(f"{SCRATCH}.", ""))
    return tables


def _current_schema(connection: Connection) -> str:
    return str(connection.scalar(sa.select(sa.func.current_schema())))


def _move_table(connection: Connection, reference: Reference, table: str, home: str) -> None:
    """Move a table with rows, indexes and sequences from the scratch schema, without its foreign keys."""
    for each in reference.objects:
        if each.kind == "view":
            _sql(connection, f"DROP VIEW IF EXISTS {SCRATCH}.{each.name} CASCADE")
        elif each.kind == "trigger" and each.owner == table:
            _sql(connection, f"DROP TRIGGER IF EXISTS {each.name} ON {SCRATCH}.{table}")
        elif each.kind == "constraint" and "FOREIGN KEY" in each.definition:
            _sql(
                connection,
                f"ALTER TABLE IF EXISTS {SCRATCH}.{each.owner} DROP CONSTRAINT IF EXISTS {each.name}",
            )
    _sql(connection, f'ALTER TABLE {SCRATCH}.{table} SET SCHEMA "{home}"')


def _copy_rows(source: Connection, target: Connection, table: str) -> None:
    """Copy the rows that a migration wrote into its table, like the installation's id."""
    rows = source.exec_driver_sql(f"SELECT * FROM {table}")  # noqa: S608
    names = list(rows.keys())
    marks = ", ".join("?" * len(names))
    for row in rows:
        target.exec_driver_sql(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", tuple(row))  # noqa: S608


def _stamp(connection: Connection, revision: str) -> None:
    connection.execute(sa.delete(VERSION))
    connection.execute(sa.insert(VERSION).values(version_num=revision))
