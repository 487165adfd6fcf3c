"""The commands `recipient`: what is known of people besides their ids."""

import json
from typing import Any

import click

from cli.database import open_database
from notifier.core.text_output import terminal_json


@click.group()
def recipient() -> None:
    """What is known of recipients: addresses, zone, preferences."""


@recipient.command("show")
@click.argument("user")
def recipient_show(user: str) -> None:
    """Print the profile and the preferences of USER as JSON."""
    from usecases import preferences, recipients

    with open_database() as database:
        profile = recipients.find(database, user).as_json()
        _print({**profile, "preferences": preferences.find(database, user)})


@recipient.command("set")
@click.argument("user")
@click.option("--email", help="one mailbox")
@click.option("--name")
@click.option("--locale", help="a language tag, like de or pt-BR")
@click.option("--timezone", help="an IANA zone, like Europe/Berlin")
@click.option("--address", "addresses", multiple=True, metavar="CHANNEL=ADDRESS", help="of another channel")
def recipient_set(user: str, addresses: tuple[str, ...], **given: str | None) -> None:
    """Set fields of USER's profile and print it; an empty value takes one away."""
    from usecases import recipients

    fields: dict[str, Any] = {name: value or None for name, value in given.items() if value is not None}
    if addresses:
        pairs = (pair.partition("=") for pair in addresses)
        fields["addresses"] = {channel: address or None for channel, _, address in pairs}
    with open_database() as database:
        _print(recipients.put(database, user, fields).as_json())


def _print(value: dict[str, Any]) -> None:
    click.echo(terminal_json(json.dumps(value, ensure_ascii=False)))
