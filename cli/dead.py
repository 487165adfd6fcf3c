"""The commands `dead`: notifications that could not be dispatched."""

import click

from cli.database import open_database, use_own_sender
from cli.help import example
from cli.print_json import json_line
from notifier.core.draft import check_id


@click.group(epilog=example("notifier dead list"))
def dead() -> None:
    """Show, replay or drop what could not be dispatched.

    A notification is dead when all its attempts failed. Its row has the error of the last one.
    """


@dead.command("list", epilog=example("notifier dead list | jq -r .error"))
def dead_list() -> None:
    """List them, oldest first, one JSON object a line.

    After the notifications come rows of channels that failed, or of which nobody can know whether they were
    sent.
    """
    from models.store import reach, status

    with open_database() as database, database.read() as connection:
        for row in [*status.dead(connection), *reach.undelivered(connection)]:
            click.echo(json_line(row._asdict()))


@dead.command("replay", epilog=example("notifier dead replay 01a2039b-fda2-72c5-a18a-520967a42dfe"))
@click.argument("id_", metavar="ID")
def dead_replay(id_: str) -> None:
    """Send a dead notification again.

    It waits as if it had just been accepted. ID may be the number of a channel's row too: that one is tried
    again, with all its attempts.
    """
    from usecases import notifications, reach

    sender = use_own_sender()
    if id_.isdecimal():
        click.echo(reach.replay(sender.database, int(id_)))
        return
    click.echo(notifications.replay(sender.database, sender.waker, check_id(id_)))


@dead.command("drop", epilog=example("notifier dead drop 01a2039b-fda2-72c5-a18a-520967a42dfe"))
@click.argument("id_", metavar="ID")
def dead_drop(id_: str) -> None:
    """Delete a dead notification for good.

    One that has reached some of its recipients is refused. ID may be the number of a channel's row that
    failed.
    """
    from usecases import notifications, reach

    with open_database() as database:
        if id_.isdecimal():
            click.echo(reach.drop(database, int(id_)))
            return
        click.echo(notifications.drop(database, check_id(id_)))
