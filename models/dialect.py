"""What our two databases spell differently: INSERT … ON CONFLICT, and a table of given rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

MANY = 20  # rows


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return the dialect's INSERT, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insertion(
    connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> tuple[Any, Sequence[Mapping[str, Any]] | None]:
    """Return an INSERT of `rows`, all with the same columns, and the parameters to execute it with.

    Many rows on PostgreSQL are one array for each column: a parameter for each value costs more than the
    rest of the statement. SQLite's driver runs it row by row, as fast.
    """
    if connection.dialect.name != "postgresql" or len(rows) < MANY:
        return insert(connection, table), rows
    columns = {name: table.c[name].type for name in rows[0]}
    source = sa.select(given(connection, "rows", columns, rows))
    return postgresql.insert(table).from_select(list(columns), source), None


def given(
    connection: Connection, name: str, columns: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> sa.FromClause:
    """Return `rows` as a table `name` with these columns (name: SQL type).

    As many parameters as columns, however many rows: so one statement serves all lengths. Values are
    written as the columns' types write them, times included.
    """
    if connection.dialect.name == "postgresql":
        arrays = [
            sa.cast(
                sa.literal([row[column] for row in rows], postgresql.ARRAY(type_)), postgresql.ARRAY(type_)
            )
            for column, type_ in columns.items()
        ]
        wanted = [sa.column(column, type_) for column, type_ in columns.items()]
        return sa.func.unnest(*arrays).table_valued(*wanted, name=name).render_derived()
    write = {column: _writer(connection, type_) for column, type_ in columns.items()}
    text = orjson.dumps([{column: write[column](row[column]) for column in columns} for row in rows]).decode()
    each = sa.func.json_each(text).table_valued("value")
    values = [
        sa.type_coerce(sa.func.json_extract(each.c.value, f"$.{column}"), type_).label(column)
        for column, type_ in columns.items()
    ]
    return sa.select(*values).subquery(name)


def _writer(connection: Connection, type_: Any) -> Callable[[Any], Any]:
    """Return what turns a value into what SQLite keeps for this type."""
    kind = sa.types.to_instance(type_).dialect_impl(connection.dialect)
    return kind.bind_processor(connection.dialect) or (lambda value: value)
