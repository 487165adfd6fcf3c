"""The command `explain`: what happened to a notification, and why."""

import json
from collections.abc import Sequence

import click

from cli.database import open_database
from cli.help import example
from notifier.core import timeline as words
from notifier.core.draft import check_id
from notifier.core.text_output import iso_time, printable, shown, terminal_json
from notifier.core.timeline import Step, Timeline
from notifier.settings import Settings

MAX_COPIES = 20  # recipients named when there are many


@click.command(
    epilog=example(
        "notifier explain 01a2039b-fda2-72c5-a18a-520967a42dfe user-7",
        "notifier explain 01a2039b-fda2-72c5-a18a-520967a42dfe --json",
    )
)
@click.argument("id_", metavar="ID")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, as the HTTP API answers it.")
def explain(id_: str, user: str | None, as_json: bool) -> None:
    """Tell what happened to a notification, and why.

    With USER it tells the timeline of that person's copy: when it was accepted, dispatched, delivered and
    read, and why it was not. Without, it tells the counts and the first recipients.
    """
    from notifier.broker.topology import answers
    from usecases.explain import explain as find

    settings = Settings.load()
    with open_database() as database:
        found = find(
            database, check_id(id_), user, broker_answers=lambda: answers(settings), limit=MAX_COPIES
        )
    if as_json:
        click.echo(terminal_json(json.dumps(found.json(), ensure_ascii=False)))
        return
    _tell(found.timeline, words.steps(found.timeline, found.at), found.summary)
    for copy in found.copies:
        state = "read" if copy.read_at else "delivered" if copy.delivered_at else "not delivered"
        click.echo(f"  {printable(copy.user_id)}: {state}")
    if found.copies and found.timeline.reached > len(found.copies):
        click.echo(f"  and {found.timeline.reached - len(found.copies)} more: the API pages through them")


def _tell(timeline: Timeline, steps: Sequence[Step], why: str) -> None:
    whose = f" for {printable(timeline.user_id)}" if timeline.user_id else ""
    click.echo(f"{timeline.event} {timeline.id}{whose}: {timeline.status}")
    click.echo(f"  {printable(why)}")
    for step in steps:
        at = shown(step.at, "-")
        click.echo(f"{step.name:<11}{at:<25}{printable(step.detail)}".rstrip())
    for socket in timeline.sockets:
        end = shown(socket.end, "…")
        opened = iso_time(socket.opened_at)
        code = f" ({socket.code})" if socket.code else ""
        click.echo(f"{'socket':<11}{opened:<25}until {end}{code}  {printable(socket.name)}")
