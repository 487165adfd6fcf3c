"""The command `inbox`: a user's last entries."""

import json
from dataclasses import asdict

import click

from cli.database import open_database
from cli.help import example
from notifier.core.checks import check_user_id
from notifier.core.log import Status, Why
from notifier.core.text_output import shown, terminal_json

STATES = (
    Status.UNREAD,
    Status.READ,
    Status.ARCHIVED,
    Status.SNOOZED,
    Why.RETRACTED,
    Why.EXPIRED,
    Why.COLLAPSED,
)


@click.command(epilog=example("notifier inbox user-7", "notifier inbox user-7 --status unread --limit 200"))
@click.argument("user")
@click.option(
    "--status", type=click.Choice([state.value for state in STATES]), help="Only those in this state."
)
@click.option(
    "--limit",
    metavar="N",
    default=50,
    show_default=True,
    type=click.IntRange(1, 1_000),
    help="How many entries to look at.",
)
def inbox(user: str, status: str | None, limit: int) -> None:
    """List the last entries of USER, with their state.

    Newest first, one JSON object a line. Those that have left the inbox say why: archived, snoozed (until
    when), retracted, expired or collapsed.
    """
    from usecases.support import last_entries

    check_user_id(user)
    with open_database() as database:
        for found in last_entries(database, user, limit=limit):
            if status in (None, found.entry.state):
                line = asdict(found.entry) | {"why": found.why}
                click.echo(terminal_json(json.dumps(line, default=shown, ensure_ascii=False)))
