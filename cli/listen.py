"""The commands for a user's own view: `token`, `tail`."""

import sys

import click

from notifier.settings import Settings


@click.command()
@click.argument("user")
@click.option("--ttl", default=3600, show_default=True, type=click.IntRange(1), help="seconds")
def token(user: str, ttl: int) -> None:
    """Print a user token for USER."""
    from notifier.tokens import Tokens

    click.echo(Tokens.from_settings(Settings.load()).mint(user, ttl))


@click.command()
@click.argument("user")
@click.option("--after", type=click.IntRange(0), help="resume after this seq")
@click.option("--url", help="the gateway's address  [default: ws://HOST:PORT/ws]")
def tail(user: str, after: int | None, url: str | None) -> None:
    """Print each event of USER as one JSON line; reconnect and resume when the connection is lost."""
    from cli.follow import follow
    from notifier.tokens import Tokens

    settings = Settings.load()
    tokens = Tokens.from_settings(settings)
    address = url or f"ws://{settings.address}{settings.prefix}/ws"
    try:
        for frame in follow(address, lambda: tokens.mint(user), after=after):
            click.echo(frame)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()
