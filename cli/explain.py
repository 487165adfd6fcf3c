"""The command `explain`: what became of a notification, and why."""

import json
from collections.abc import Sequence

import click

from notifier.core.timeline import Step, Timeline
from notifier.settings import Settings

MAX_COPIES = 20  # recipients named when there are many


@click.command()
@click.argument("id_", metavar="ID")
@click.argument("user", required=False)
@click.option("--json", "as_json", is_flag=True, help="as the API answers it")
def explain(id_: str, user: str | None, as_json: bool) -> None:
    """Tell what became of a notification, or of USER's copy of it, and why."""
    from models.store import timeline as store
    from notifier.broker.topology import answers
    from notifier.core import timeline as words
    from notifier.core.diagnosis import summary
    from notifier.core.draft import check_id
    from notifier.core.errors import NotFound
    from notifier.outbox.engine import Database, make_engine
    from notifier.outbox.types import now

    settings = Settings.load()
    known, at = check_id(id_), now()
    database = Database(make_engine(settings.database_url))
    with database.read() as connection:
        found = store.story(connection, known, user, now=at)
        if found is None:
            raise NotFound(f"there is no notification {known}" + (f" for {user}" if user else ""))
        copies = store.copies(connection, known, limit=MAX_COPIES, after=None) if not found.user_id else ()
    broker = answers(settings) if found.status == "accepted" else None
    why = summary(found, at, broker)
    if as_json:
        told = words.as_json(found, at, why) | {"items": [words.copy_json(copy) for copy in copies]}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    _tell(found, words.steps(found, at), why)
    for copy in copies:
        state = "read" if copy.read_at else "delivered" if copy.delivered_at else "not delivered"
        click.echo(f"  {_printable(copy.user_id)}: {state}")
    if copies and found.reached > len(copies):
        click.echo(f"  and {found.reached - len(copies)} more: the API pages through them")


def _tell(story: Timeline, steps: Sequence[Step], why: str) -> None:
    whose = f" for {_printable(story.user_id)}" if story.user_id else ""
    click.echo(f"{story.event} {story.id}{whose}: {story.status}")
    click.echo(f"  {_printable(why)}")
    for step in steps:
        at = step.at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if step.at else "-"
        click.echo(f"{step.name:<11}{at:<25}{_printable(step.detail)}".rstrip())
    for socket in story.sockets:
        end = socket.end.isoformat(timespec="milliseconds").replace("+00:00", "Z") if socket.end else "…"
        opened = socket.opened_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        code = f" ({socket.code})" if socket.code else ""
        click.echo(f"{'socket':<11}{opened:<25}until {end}{code}  {_printable(socket.name)}")


def _printable(text: str) -> str:
    """What others wrote must not steer the terminal."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
