"""Check whether the database has the schema of this version."""

from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory

from notifier.outbox.engine import Database

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
#: An application may keep its own tables, and its own alembic, in the same database.
VERSION_TABLE = "notifier_alembic_version"

MIGRATION_LOCK = 5_318_008_0721  # an advisory lock: concurrent migrations wait for each other

VERSION = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))

CURRENT, BEHIND, AHEAD = "current", "behind", "ahead"


def newest() -> str:
    """Return the newest migration that this version knows."""
    return str(ScriptDirectory(str(MIGRATIONS)).get_current_head())


def applied(database: Database) -> str | None:
    """Return the database's migration; None: it has none of our tables. Raises DatabaseUnavailable."""
    with database.read() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        found: str | None = connection.scalar(sa.select(VERSION.c.version_num))
        return found


def compare(database: Database) -> str:
    """Return CURRENT, BEHIND, or AHEAD for a migration of a later version. Raises DatabaseUnavailable."""
    has = applied(database)
    if has == newest():
        return CURRENT
    known = {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}
    return BEHIND if has is None or has in known else AHEAD
