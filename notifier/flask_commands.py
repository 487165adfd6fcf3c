"""The commands `flask notifier …`, for an application that has the extension."""

import click
from flask import current_app
from flask.cli import AppGroup

from notifier.core.errors import InvalidInput, NotifierError
from notifier.definitions import export
from notifier.send import send_notification, update_badge
from notifier.tokens import Tokens

commands = AppGroup("notifier", help="Live Notifications: send, and inspect.")


def _say(error: NotifierError) -> click.ClickException:
    if isinstance(error, InvalidInput):
        lines = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.problems]
        return click.ClickException("\n".join(lines))
    return click.ClickException(error.detail)


@commands.command()
@click.argument("user")
@click.option("--title", required=True)
@click.option("--message", required=True)
@click.option("--type", "kind", default="info", show_default=True)
def send(user: str, title: str, message: str, kind: str) -> None:
    """Send an alert to USER and print its id."""
    try:
        click.echo(send_notification(user, {"title": title, "message": message, "type": kind}))
    except NotifierError as exc:
        raise _say(exc) from None


@commands.command()
@click.argument("user")
@click.argument("type", metavar="TYPE")
@click.argument("count", type=int)
def badge(user: str, type: str, count: int) -> None:
    """Set the badge TYPE of USER to COUNT and print the event's id."""
    try:
        click.echo(update_badge(user, type, count))
    except NotifierError as exc:
        raise _say(exc) from None


@commands.command()
@click.argument("user")
@click.option("--ttl", default=3600, show_default=True, type=click.IntRange(1), help="seconds")
def token(user: str, ttl: int) -> None:
    """Print a user token for USER."""
    try:
        click.echo(Tokens.from_settings(current_app.extensions["notifier"].settings).mint(user, ttl))
    except NotifierError as exc:
        raise _say(exc) from None


@commands.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False))
def definitions(path: str | None) -> None:
    """Write the application's events and categories to PATH, or print them: the service reads that file."""
    text = export(path)
    if path is None:
        click.echo(text, nl=False)
