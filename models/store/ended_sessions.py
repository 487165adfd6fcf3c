"""The dashboard's sessions that were signed out of: their cookies stay signed, and are refused here."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import ended_sessions
from notifier.outbox.dialect import insert


def end(connection: Connection, session: str, *, until: datetime, now: datetime) -> None:
    """Remember that a session has ended, for as long as its cookie would be good; forget older ones."""
    connection.execute(sa.delete(ended_sessions).where(ended_sessions.c.until < now))
    new = insert(connection, ended_sessions).values(session=session, until=until)
    connection.execute(new.on_conflict_do_nothing())


def has_ended(connection: Connection, session: str) -> bool:
    """Return whether somebody has signed out of the session."""
    found = sa.select(sa.literal(1)).where(ended_sessions.c.session == session)
    return connection.execute(found).first() is not None
