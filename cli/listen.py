"""The commands for a user's own view: `token`, `tail`."""

import contextlib

import click

from cli import output
from cli.help import example
from notifier.settings import Settings


@click.command(epilog=example("notifier token user-7 --ttl 600"))
@click.argument("user")
@click.option(
    "--ttl",
    default=3600,
    show_default=True,
    type=click.IntRange(1),
    metavar="SECONDS",
    help="How long it is valid.",
)
def token(user: str, ttl: int) -> None:
    """Print a token for USER, as a client needs it.

    It needs the secret that signs tokens: NOTIFIER_SECRET, or `var/secret`.
    """
    from notifier.tokens import Tokens

    click.echo(Tokens.from_settings(Settings.load()).mint(user, ttl))


@click.command(epilog=example("notifier tail user-7", "notifier tail user-7 --after 0 | jq .data.title"))
@click.argument("user")
@click.option(
    "--after", type=click.IntRange(0), metavar="SEQ", help="Resume after this seq; 0: from the beginning."
)
@click.option(
    "--window", is_flag=True, help="Print the unread entries too, as `item` frames, before the events."
)
@click.option("--url", metavar="URL", help="The gateway's address.  [default: ws://HOST:PORT/ws]")
def tail(user: str, after: int | None, window: bool, url: str | None) -> None:
    """Print each event of USER as one line of JSON.

    It is a client in the terminal. It begins with the next event, or after --after; what is unread is told
    on standard error, as all else is. When the connection is lost it comes back by itself,
    and misses nothing. Ctrl-C ends it.
    """
    from cli.follow import follow
    from notifier.tokens import Tokens

    settings = Settings.load()
    tokens = Tokens.from_settings(settings)
    address = url or f"ws://{settings.address}{settings.prefix}/ws"
    with contextlib.suppress(KeyboardInterrupt):
        lines = follow(
            address, lambda: tokens.mint(user), after=after, window=window, ended=output.reader_left
        )
        for line in lines:
            click.echo(line)
