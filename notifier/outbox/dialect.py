"""What our two databases spell differently: INSERT … ON CONFLICT, and rows handed to a statement.

Statements on an alert's way are built once for each dialect, not for each execution: to build one, and
to find out that it is the one of before, costs SQLAlchemy as much as to run it (docs/benchmarks.md).
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
    """Rows that are handed to a statement as a table.

    They are one parameter, a JSON document, however many they are: so one statement serves all lengths, the
    server plans it once, and one call of a fast library writes it. Values are written as the columns' types
    write them, times included.

    Args:
        name: what the statement calls the table, and its parameter.
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
        """Return the parameter with which the statement is given these rows."""
        writers = self._writers(connection.dialect).items()
        plain = [{name: write(row[name]) if write else row[name] for name, write in writers} for row in rows]
        return {self._name: orjson.dumps(plain).decode()}

    def _make_writers(self, dialect: sa.Dialect) -> dict[str, Callable[[Any], Any] | None]:
        """Return what writes each column's values as the dialect keeps its type; None: as JSON does."""
        # Truth values, and on PostgreSQL documents within the document.
        native = (sa.Boolean, sa.JSON) if dialect.name == POSTGRESQL else (sa.Boolean,)
        own = {column: type_.dialect_impl(dialect) for column, type_ in self._types.items()}
        return {
            column: None if isinstance(type_, native) else type_.bind_processor(dialect)
            for column, type_ in own.items()
        }


class Insertion:
    """An INSERT of any number of rows, built once.

    On PostgreSQL several rows are one document: a parameter for each value costs more than the rest of the
    statement, and one row alone costs less as it is. SQLite's driver runs it row by row.

    Args:
        table: where to.
        columns: what each row has, all the same.
        finish: adds what follows, like `on_conflict_do_nothing()` or `returning(…)`.
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

    def _build(self, dialect: str) -> Any:
        source = sa.select(self._rows.table(dialect))
        return self._finish(_insert(dialect, self._table).from_select(self._columns, source))

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> AnyResult:
        """Insert these rows, one or more, in their order."""
        dialect = connection.dialect.name
        if len(rows) == 1:
            return connection.execute(self._plain(dialect), rows[0])
        if dialect == POSTGRESQL:
            return connection.execute(self._many(dialect), self._rows.parameters(connection, rows))
        return connection.execute(self._plain(dialect), rows)
