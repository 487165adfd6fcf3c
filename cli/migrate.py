"""The command `migrate`: bring the schema up to date."""

import click

from cli.help import example
from notifier.private import close_to_others
from notifier.settings import Settings


@click.command(epilog=example("notifier migrate"))
def migrate() -> None:
    """Bring the database to the newest schema.

    It may run while the service runs, and more than once. Tables that an application's own `flask db migrate`
    dropped are created again, and named.
    """
    bring_up_to_date(Settings.load())


def bring_up_to_date(settings: Settings) -> None:
    """Migrate the database, and print what an operator should know to stderr."""
    from models.migrate import migrate as upgrade

    if settings.embedded:
        # Files that an earlier version made readable for others.
        for ending in ("", "-wal", "-shm"):
            close_to_others(settings.var_dir / f"notifier.db{ending}")
    for line in upgrade(settings):
        click.echo(line, err=True)
