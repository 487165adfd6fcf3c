"""The command `rejected`: messages from the broker that a worker rejected and stored."""

import base64
import json
from typing import Any

import click

from cli.database import open_database
from cli.help import example
from notifier.core.text_output import shown


@click.group(epilog=example("notifier rejected list"))
def rejected() -> None:
    """Look at messages from the broker that were not tasks.

    A worker keeps what it cannot take: a message that is not one of our tasks, or a task by name that
    breaks a rule.
    """


@rejected.command("list", epilog=example("notifier rejected list | jq .reason"))
def rejected_list() -> None:
    """List them, oldest first, one JSON object a line."""
    from models.store import rejected as store

    with open_database() as database, database.read() as connection:
        for row in store.rejected(connection):
            click.echo(_line(row._asdict()))


@rejected.command("show", epilog=example("notifier rejected show 01a203a1-0d7c-7a60-b1c5-5f1f4be60d51"))
@click.argument("id_", metavar="ID")
def rejected_show(id_: str) -> None:
    """Print one as JSON, with its headers and its body.

    Of the body, the beginning was kept. It is text, or `base64` when it is not text.
    """
    from models.store import rejected as store
    from notifier.core.draft import check_id
    from notifier.core.errors import NotFound

    known = check_id(id_)
    with open_database() as database, database.read() as connection:
        row = store.one(connection, known)
    if row is None:
        raise NotFound(f"no rejected message {known}")
    told = row._asdict()
    try:
        told["body"] = row.body.decode()
    except UnicodeDecodeError:
        told["base64"] = base64.b64encode(told.pop("body")).decode()
    click.echo(_line(told))


@rejected.command(
    "drop",
    epilog=example(
        "notifier rejected drop 01a203a1-0d7c-7a60-b1c5-5f1f4be60d51", "notifier rejected drop --all"
    ),
)
@click.argument("id_", metavar="ID", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete all of them.")
def rejected_drop(id_: str | None, everything: bool) -> None:
    """Delete one rejected message, or all of them."""
    from models.store import rejected as store
    from notifier.core.draft import check_id
    from notifier.core.errors import NotFound

    if (id_ is None) is not everything:
        raise click.UsageError("give an ID, or --all")
    known = None if id_ is None else check_id(id_)
    with open_database() as database:
        gone = database.run(lambda connection: store.drop(connection, known))
    if known is not None and not gone:
        raise NotFound(f"no rejected message {known}")
    click.echo(known or f"dropped={gone}")


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told, default=shown)  # ASCII: it cannot contain control characters for a terminal
