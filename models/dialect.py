"""What our two databases spell differently: INSERT … ON CONFLICT, and a table of given rows."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection


def insert(connection: Connection, table: sa.Table) -> Any:
    """Return the dialect's INSERT, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def given(
    connection: Connection, name: str, columns: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> sa.FromClause:
    """Return `rows` as a table `name` with these columns (name: SQL type).

    One parameter, however many rows there are: so one statement serves all lengths.
    """
    text = orjson.dumps(list(rows)).decode()
    if connection.dialect.name == "postgresql":
        record = sa.func.jsonb_to_recordset(sa.cast(sa.literal(text, sa.Text), postgresql.JSONB))
        wanted = [sa.column(column, type_) for column, type_ in columns.items()]
        return record.table_valued(*wanted, name=name).render_derived(with_types=True)
    each = sa.func.json_each(text).table_valued("value")
    values = [
        sa.type_coerce(sa.func.json_extract(each.c.value, f"$.{column}"), type_).label(column)
        for column, type_ in columns.items()
    ]
    return sa.select(*values).subquery(name)
