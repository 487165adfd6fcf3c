"""Check whether the database has the schema of this version."""

import re
from pathlib import Path

import sqlalchemy as sa

from notifier.outbox.engine import Database

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
#: An application may keep its own tables, and its own alembic, in the same database.
VERSION_TABLE = "notifier_alembic_version"

MIGRATION_LOCK = 5_318_008_0721  # an advisory lock: concurrent migrations wait for each other

VERSION = sa.table(VERSION_TABLE, sa.column("version_num", sa.String))

_REVISION = re.compile(r"^revision = [\"'](\w+)[\"']$", re.MULTILINE)
_BEFORE = re.compile(r"^down_revision = [\"'](\w+)[\"']$", re.MULTILINE)

CURRENT, BEHIND, AHEAD = "current", "behind", "ahead"


def revisions() -> dict[str, str]:
    """Return each migration of this version with the one before it; the first has none: an empty text.

    Read from the files: every process checks the schema at its start, and alembic takes longer to import
    than all else that the check does.
    """
    found = {}
    for path in (MIGRATIONS / "versions").glob("*.py"):
        if own := _REVISION.search(text := path.read_text("utf-8")):
            before = _BEFORE.search(text)
            found[own[1]] = before[1] if before else ""
    return found


def newest() -> str:
    """Return the newest migration that this version knows."""
    known = revisions()
    (last,) = set(known) - set(known.values())
    return last


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
    return BEHIND if has is None or has in revisions() else AHEAD
