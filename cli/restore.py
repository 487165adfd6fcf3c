"""The command `restored`: the database was brought back from an older backup."""

import click

from notifier.settings import Settings


@click.command()
def restored() -> None:
    """After a restore, before anything starts: let all logs continue from where no client has ever been."""
    from models.store import log_base
    from notifier.outbox.engine import Database, make_engine
    from notifier.outbox.types import now

    database = Database(make_engine(Settings.load().database_url))
    base = database.run(lambda connection: log_base.restored(connection, now=now()))
    click.echo(f"base={base}: every client is told to start afresh")
