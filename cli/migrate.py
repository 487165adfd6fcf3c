"""The command `migrate`: the schema."""

import click

from notifier.private import close_to_others
from notifier.settings import Settings


@click.command()
def migrate() -> None:
    """Bring the database to the newest schema.

    Creates again what a foreign `flask db migrate` dropped, and says which tables are empty now.
    """
    bring_up_to_date(Settings.load())


def bring_up_to_date(settings: Settings) -> None:
    """Migrate the database; each line that an operator should read goes to stderr."""
    from models.migrate import migrate as upgrade

    if settings.embedded:
        # What a version before 0600 has made.
        for ending in ("", "-wal", "-shm"):
            close_to_others(settings.var_dir / f"notifier.db{ending}")
    for line in upgrade(settings):
        click.echo(line, err=True)
