"""The command `restored`: tell the service that the database was restored from an older backup."""

import click

from notifier.settings import Settings


@click.command()
def restored() -> None:
    """Run after a restore, before anything starts: all logs continue above any seq a client can have."""
    from models.store import log_base
    from notifier.outbox.engine import Database, make_engine
    from notifier.outbox.types import now

    database = Database(make_engine(Settings.load().database_url))
    base = database.run(lambda connection: log_base.restored(connection, now=now()))
    click.echo(f"base={base}: every client will be reset")
