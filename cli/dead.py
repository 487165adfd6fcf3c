"""The commands `dead`: notifications that could not be dispatched."""

import json

import click

from cli.database import open_database, use_own_sender
from notifier.core.draft import check_id
from notifier.core.text_output import shown, terminal_json


@click.group()
def dead() -> None:
    """Notifications that could not be dispatched."""


@dead.command("list")
def dead_list() -> None:
    """List them, oldest first, one JSON object a line; then rows of channels that failed or are unknown."""
    from models.store import reach, status

    with open_database() as database, database.read() as connection:
        for row in [*status.dead(connection), *reach.undelivered(connection)]:
            click.echo(terminal_json(json.dumps(row._asdict(), default=shown, ensure_ascii=False)))


@dead.command("replay")
@click.argument("id_", metavar="ID")
def dead_replay(id_: str) -> None:
    """Queue a dead notification again, as if it had just been accepted.

    ID may be the number of a channel's row: that one is tried again, with all its attempts.
    """
    from usecases import notifications, reach

    sender = use_own_sender()
    if id_.isdecimal():
        click.echo(reach.replay(sender.database, int(id_)))
        return
    click.echo(notifications.replay(sender.database, sender.waker, check_id(id_)))


@dead.command("drop")
@click.argument("id_", metavar="ID")
def dead_drop(id_: str) -> None:
    """Delete a dead notification that reached no recipient, or a channel's row that failed (its number)."""
    from usecases import notifications, reach

    with open_database() as database:
        if id_.isdecimal():
            click.echo(reach.drop(database, int(id_)))
            return
        click.echo(notifications.drop(database, check_id(id_)))
