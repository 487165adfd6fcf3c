"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect, Row
from sqlalchemy.types import TypeDecorator, TypeEngine

#: A row of a result, with any columns.
AnyRow = Row[*tuple[Any, ...]]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in time: `timestamptz` on PostgreSQL, ISO text in UTC on SQLite (microseconds)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time, which is ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the moment in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class UuidText(TypeDecorator[str]):
    """A UUID, written with its dashes in Python, in JSON and on SQLite; `uuid` on PostgreSQL."""

    impl = sa.String(36)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=False))
        return dialect.type_descriptor(sa.String(36))

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return it as text."""
        return None if value is None else str(value)


#: JSON: `jsonb` on PostgreSQL (so that reports can look inside), text on SQLite.
#: None is SQL's NULL, not JSON's.
Json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

#: An automatically increasing number; SQLite has that only for its INTEGER PRIMARY KEY.
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def not_before(first: Any, moment: Any) -> sa.ColumnElement[datetime]:
    """Return `moment`, which may be from another clock, or `first` if it is earlier."""
    return sa.case((moment < first, first), else_=moment)


def milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970 UTC."""
    return round(moment.timestamp() * 1000)


def now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)
