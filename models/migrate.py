"""Migrate the database to the newest schema, and create again what a foreign migration dropped."""

import time
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import OperationalError, ProgrammingError

from models import schema, schema_repair
from models.store import log_base
from notifier.core.backoff import full_jitter
from notifier.core.errors import DatabaseUnavailable, SchemaBeyondRepair
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.failures import Cause, cause
from notifier.outbox.types import now
from notifier.settings import Settings

#: If one of these was dropped, clients know more than the database (docs/adr/0022-after-a-restore.md).
LOGS = {"notifier_inboxes", "notifier_deliveries", "notifier_changes", "notifier_restores"}
ATTEMPTS = 6
RETRY, RETRY_LONGEST = 0.5, 5.0  # seconds at most between two attempts


def migrate(settings: Settings) -> Iterator[str]:
    """Repair, then upgrade; yield a line for everything that the operator should know.

    Raises:
        DatabaseUnavailable: The database is down, or may not be changed.
        SchemaBeyondRepair: The remaining tables belong to no known version.
    """
    database = Database(make_engine(settings.database_url))
    try:
        try:
            with database.engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(schema.MIGRATION_LOCK)))
                lost = schema_repair.repair(connection)
        except ProgrammingError as exc:
            raise SchemaBeyondRepair(f"cannot repair the schema: {str(exc.orig).splitlines()[0]}") from None
        yield from (f"{table} was dropped, and is empty now: its rows are lost" for table in lost)
        yield from _upgrade(database)
        if LOGS & set(lost):
            database.run(lambda connection: log_base.restored(connection, now=now()))
            yield "every client will be reset; to get the rows back, restore a backup: docs/runbook.md"
    except OperationalError as exc:
        raise DatabaseUnavailable(f"cannot migrate: {str(exc.orig).splitlines()[0]}") from None
    finally:
        database.engine.dispose()


def _upgrade(database: Database) -> Iterator[str]:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        _run(config)
    except CommandError:
        # As after a return to this version: what a later one has added stays.
        if schema.compare(database) != schema.AHEAD:
            raise
        yield "a later version has migrated the database: nothing is done"


def _run(config: Config) -> None:
    """Upgrade, and try again when a lock was not free or the migration lost a deadlock.

    Migrations lock whole tables, in another order than a running site locks rows.
    """
    for attempt in range(ATTEMPTS):
        try:
            command.upgrade(config, "head")
        except OperationalError as exc:
            if attempt == ATTEMPTS - 1 or cause(exc) not in (Cause.CONFLICT, Cause.LOCKED):
                raise
        else:
            return
        time.sleep(full_jitter(attempt, RETRY, RETRY_LONGEST))
