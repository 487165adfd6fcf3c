"""The revocations: for each user, until when issued tokens are revoked."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import revocations
from notifier.outbox.dialect import insert


def revoke(connection: Connection, user_id: str, *, now: datetime) -> None:
    """Revoke every token issued to a user before `now`; a later revocation is kept."""
    new = insert(connection, revocations).values(user_id=user_id, revoked_at=now)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=["user_id"],
            set_={"revoked_at": new.excluded.revoked_at},
            where=revocations.c.revoked_at < new.excluded.revoked_at,
        )
    )


def since(connection: Connection, after: datetime | None) -> dict[str, datetime]:
    """Return the revocations from `after` on, by user; None: all."""
    wanted = sa.select(revocations.c.user_id, revocations.c.revoked_at)
    if after is not None:
        wanted = wanted.where(revocations.c.revoked_at >= after)
    return {row.user_id: row.revoked_at for row in connection.execute(wanted)}
