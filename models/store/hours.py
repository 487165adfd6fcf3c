"""The hours of a day: what was accepted in each, and how much of it is delivered and read by now."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.dashboard import v
from models.store.planner import in_short
from notifier.outbox.types import AnyRow


def hours(connection: Connection, day: date) -> Sequence[AnyRow]:
    """Return (hour, sent, delivered, read) of a day in UTC; an hour without deliveries has no row."""
    begin = datetime.combine(day, time(), UTC)
    hour = _hour(connection).label("hour")
    query = (
        sa.select(
            hour,
            sa.func.count().label("sent"),
            sa.func.count(v.delivered_at).label("delivered"),
            sa.func.count(v.read_at).label("read"),
        )
        .where(v.accepted_at >= begin, v.accepted_at < begin + timedelta(days=1))
        .group_by(hour)
        .order_by(hour)
    )
    return in_short(connection).execute(query).all()


def _hour(connection: Connection) -> sa.ColumnElement[int]:
    """Return the hour of acceptance in UTC, as a number."""
    if connection.dialect.name == "postgresql":
        return sa.cast(sa.func.to_char(sa.func.timezone("UTC", v.accepted_at), "HH24"), sa.Integer)
    return sa.cast(sa.func.substr(sa.type_coerce(v.accepted_at, sa.Text), 12, 2), sa.Integer)
