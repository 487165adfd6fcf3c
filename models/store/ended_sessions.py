"""Dashboard sessions that ended by signing out: their cookies stay validly signed, and are refused."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import ended_sessions
from notifier.outbox.dialect import insert


def end(connection: Connection, session: str, *, until: datetime, now: datetime) -> None:
    """Record that a session has ended, until its cookie would expire; delete older records."""
    connection.execute(sa.delete(ended_sessions).where(ended_sessions.c.until < now))
    new = insert(connection, ended_sessions).values(session=session, until=until)
    connection.execute(new.on_conflict_do_nothing())


def has_ended(connection: Connection, session: str) -> bool:
    """Return whether the session was signed out of."""
    found = sa.select(sa.literal(1)).where(ended_sessions.c.session == session)
    return connection.execute(found).first() is not None
