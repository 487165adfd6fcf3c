"""The commands `recipient`: what is known of people besides their ids."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import click

from cli.database import open_database
from cli.help import example
from cli.print_json import JSON, json_line, print_facts
from notifier.settings import Settings


@click.group(epilog=example("notifier recipient show user-7"))
def recipient() -> None:
    """Look at, change, export or erase a person's data."""


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


@recipient.command("export", epilog=example("notifier recipient export user-7 > user-7.json"))
@click.argument("user")
def recipient_export(user: str) -> None:
    """Print all that is stored of USER as one JSON document."""
    from usecases import export

    with open_database() as database:
        export.write(database, user, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@recipient.command("erase", epilog=example("notifier recipient erase user-7"))
@click.argument("user")
@JSON
def recipient_erase(user: str, as_json: bool) -> None:
    """Erase USER in small steps: nothing holds the id any more. After an interruption, repeat it."""
    from notifier.broker.publisher import Publisher
    from usecases.erase import erase

    settings = Settings.load()
    publisher = Publisher(settings)
    told = time.monotonic()

    def progress(counts: Mapping[str, int]) -> None:
        nonlocal told
        if time.monotonic() - told > 1:
            told = time.monotonic()
            click.echo(f"erased so far: {_counts(counts)}", err=True)

    try:
        with open_database() as database:
            done = erase(database, publisher, user, mail=settings.var_dir / "mail", progress=progress)
    finally:
        publisher.close()
    line = f"erased: {_counts(done.counts)}" if done.counts else "erased: nothing was left"
    print_facts({"erased": done.counts}, as_json, line)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in sorted(counts.items()) if count)


def _print(value: dict[str, Any]) -> None:
    click.echo(json_line(value))
