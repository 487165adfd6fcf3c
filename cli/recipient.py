"""The commands `recipient`: what is known of people besides their ids."""

from typing import Any

import click

from cli.database import open_database
from cli.help import example
from cli.print_json import json_line


@click.group(epilog=example("notifier recipient show user-7"))
def recipient() -> None:
    """Look at a person's profile, or change it."""


@recipient.command("show", epilog=example("notifier recipient show user-7"))
@click.argument("user")
def recipient_show(user: str) -> None:
    """Print the profile and preferences of USER as JSON."""
    from usecases import preferences, recipients

    with open_database() as database:
        profile = recipients.find(database, user).as_json()
        _print({**profile, "preferences": preferences.find(database, user)})


@recipient.command(
    "set",
    epilog=example(
        "notifier recipient set user-7 --email ann@shop.example --timezone Europe/Berlin",
        "notifier recipient set user-7 --address sms=+4915112345678",
        "notifier recipient set user-7 --email ''",
    ),
)
@click.argument("user")
@click.option("--email", help="One mailbox.")
@click.option("--name", help="What mails call this person.")
@click.option("--locale", help="A language tag, like de or pt-BR.")
@click.option("--timezone", help="An IANA zone, like Europe/Berlin.")
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="CHANNEL=ADDRESS",
    help="The address of another channel; may be given more than once.",
)
def recipient_set(user: str, addresses: tuple[str, ...], **given: str | None) -> None:
    """Change the profile of USER, and print it as JSON.

    A field that is not named stays as it is. An empty value takes a field away.
    """
    from usecases import recipients

    fields: dict[str, Any] = {name: value or None for name, value in given.items() if value is not None}
    if addresses:
        pairs = (pair.partition("=") for pair in addresses)
        fields["addresses"] = {channel: address or None for channel, _, address in pairs}
    with open_database() as database:
        _print(recipients.put(database, user, fields).as_json())


def _print(value: dict[str, Any]) -> None:
    click.echo(json_line(value))
