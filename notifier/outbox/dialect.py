"""Differences of our two databases: INSERT … ON CONFLICT, and rows as a statement's parameter.

Statements for each alert are built once for each dialect, not for each execution: building one, and looking
it up in the cache, costs SQLAlchemy as much as running it (docs/benchmarks.md).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult

POSTGRESQL = "postgresql"

AnyResult = CursorResult[*tuple[Any, ...]]


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return the dialect's INSERT, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return _insert(connection.dialect.name, table)


def _insert(dialect: str, table: sa.Table) -> Any:
    return postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)


class Rows:
    """Rows that a statement gets as a table.

    They are one parameter, a JSON document, so one statement serves any number of rows, the server plans it
    once, and one call of a fast library writes the document. Values, times included, are written by the
    columns' types.

    Args:
        name: the name of the table and of its parameter in the statement.
        columns: the columns' SQL types.
    """

    def __init__(self, name: str, **columns: Any) -> None:
        self._name = name
        self._types = {column: sa.types.to_instance(type_) for column, type_ in columns.items()}
        self.table = cache(self._table)
        self._writers = cache(self._make_writers)

    def _table(self, dialect: str) -> sa.FromClause:
        """Return the table, for a statement in this dialect ("postgresql" or "sqlite")."""
        document = sa.bindparam(self._name, type_=sa.Text())
        if dialect == POSTGRESQL:
            records = sa.func.json_to_recordset(sa.cast(document, postgresql.JSON()))
            wanted = [sa.column(column, type_) for column, type_ in self._types.items()]
            return records.table_valued(*wanted, name=self._name).render_derived(with_types=True)
        each = sa.func.json_each(document).table_valued("value")
        values = [
            sa.type_coerce(sa.func.json_extract(each.c.value, f"$.{column}"), type_).label(column)
            for column, type_ in self._types.items()
        ]
        return sa.select(*values).subquery(self._name)

    def parameters(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the parameter with these rows."""
        writers = self._writers(connection.dialect).items()
        plain = [{name: write(row[name]) if write else row[name] for name, write in writers} for row in rows]
        return {self._name: orjson.dumps(plain).decode()}

    def _make_writers(self, dialect: sa.Dialect) -> dict[str, Callable[[Any], Any] | None]:
        """Return a writer for each column's values in the dialect; None: plain JSON."""
        # Truth values, and on PostgreSQL documents within the document.
        native = (sa.Boolean, sa.JSON) if dialect.name == POSTGRESQL else (sa.Boolean,)
        own = {column: type_.dialect_impl(dialect) for column, type_ in self._types.items()}
        return {
            column: None if isinstance(type_, native) else type_.bind_processor(dialect)
            for column, type_ in own.items()
        }


class Insertion:
    """An INSERT of any number of rows, built once.

    On PostgreSQL several rows are one document, because a parameter for each value costs more than the rest
    of the statement; a single row is cheaper without. SQLite's driver runs it row by row.

    Args:
        table: the table.
        columns: the columns of each row.
        finish: adds clauses, like `on_conflict_do_nothing()` or `returning(…)`.
    """

    def __init__(
        self,
        table: sa.Table,
        columns: Sequence[str],
        finish: Callable[[Any], Any] = lambda insert: insert,
    ) -> None:
        self._table = table
        self._columns = list(columns)
        self._rows = Rows("rows", **{column: table.c[column].type for column in columns})
        self._finish = finish
        self._plain = cache(lambda dialect: self._finish(_insert(dialect, table)))
        self._many = cache(self._build)
        self._joined = cache(self._build_joined)

    def _build(self, dialect: str) -> Any:
        source = sa.select(self._rows.table(dialect))
        return self._finish(_insert(dialect, self._table).from_select(self._columns, source))

    def _build_joined(self, dialect: str) -> Any:
        (stored,) = self._build(dialect).cte("stored").c
        return sa.select(sa.func.string_agg(sa.cast(stored, sa.Text), ","))

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> AnyResult:
        """Insert these rows, one or more, in their order."""
        dialect = connection.dialect.name
        if len(rows) == 1:
            return connection.execute(self._plain(dialect), rows[0])
        if dialect == POSTGRESQL:
            return connection.execute(self._many(dialect), self._rows.parameters(connection, rows))
        return connection.execute(self._plain(dialect), rows)

    def returned(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Insert these rows, and return the one column that RETURNING names, a text without commas.

        Many arrive as one text: to read a row of the answer takes the driver longer than to write one.
        """
        if len(rows) == 1 or connection.dialect.name != POSTGRESQL:
            return list(self.execute(connection, rows).scalars())
        joined = connection.scalar(
            self._joined(connection.dialect.name), self._rows.parameters(connection, rows)
        )
        return joined.split(",") if joined else []
