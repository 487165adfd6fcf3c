"""The command `restored`: tell the service that the database was restored from an older backup."""

import click

from cli.help import example
from cli.print_json import JSON, print_facts
from notifier.settings import Settings


@click.command(epilog=example("notifier restored"))
@JSON
def restored(as_json: bool) -> None:
    """Tell the service that a backup was restored.

    Run it after every restore, before anything starts. All logs then continue above any seq that a client can
    have, and every client is told to fetch its window again.
    """
    from models.store import log_base
    from notifier.outbox.engine import Database, make_engine
    from notifier.outbox.types import now

    database = Database(make_engine(Settings.load().database_url, idle_limit=False))
    base = database.run(lambda connection: log_base.restored(connection, now=now()))
    print_facts({"base": base}, as_json, f"base={base}: every client will be reset")
