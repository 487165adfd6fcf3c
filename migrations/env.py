"""Alembic's entry point, for SQLite and PostgreSQL."""

import sys
from typing import Any

from alembic import context
from sqlalchemy.engine import Connection

from models.schema import MIGRATION_LOCK, VERSION_TABLE
from models.tables import metadata
from notifier.core.errors import SettingError
from notifier.outbox.engine import make_engine
from notifier.settings import Settings


def _ours(thing: Any, _name: str | None, kind: str, reflected: bool, _other: object) -> bool:
    """Return whether a table is ours; an application's own tables are left alone."""
    return not (kind == "table" and reflected) or thing.name in metadata.tables


def _configure(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=False,
        version_table=VERSION_TABLE,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
        include_object=_ours,
    )


def run() -> None:
    """Migrate the database of the settings, or over the caller's connection."""
    given = context.config.attributes.get("connection")
    if given is not None:
        _configure(given)
        with context.begin_transaction():
            context.run_migrations()
        return
    try:
        url = Settings.load().database_url
    except SettingError as exc:
        sys.exit(str(exc))
    engine = make_engine(url)
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=metadata, literal_binds=True, version_table=VERSION_TABLE)
        with context.begin_transaction():
            context.run_migrations()
        return
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # For this transaction only: behind a pooler each transaction may get another session.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        _configure(connection)
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()
    engine.dispose()


run()
