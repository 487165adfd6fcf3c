"""The commands that send: `send`, `badge`, and `cancel`."""

from typing import Any

import click

from cli.database import use_own_sender


@click.command()
@click.argument("user")
@click.option("--title", required=True)
@click.option("--message", required=True)
@click.option("--type", "kind", default="info", show_default=True)
@click.option("--action-label")
@click.option("--action-url")
@click.option("--id", "id_")
@click.option("--category")
@click.option("--deliver-at", metavar="TIME", help="RFC 3339, like 2026-11-27T09:00:00+01:00")
@click.option("--expires-at", metavar="TIME", help="RFC 3339")
@click.option("--expires-in", type=float, metavar="SECONDS", help="from now, or from --deliver-at")
@click.option("--collapse-key", metavar="KEY", help="replaces an earlier alert with the same key")
def send(
    user: str,
    title: str,
    message: str,
    kind: str,
    action_label: str | None,
    action_url: str | None,
    id_: str | None,
    **life: Any,
) -> None:
    """Send an alert to USER and print its id."""
    from notifier.send import send_through

    use_own_sender()
    data: dict[str, Any] = {"title": title, "message": message, "type": kind}
    if action_label is not None or action_url is not None:
        given = {"label": action_label, "url": action_url}
        data["action"] = {name: value for name, value in given.items() if value is not None}
    click.echo(send_through(None, user, data, id=id_, **life))


@click.command()
@click.argument("id", metavar="ID")
def cancel(id: str) -> None:
    """Stop the notification ID, and take it back from those who have it.

    Prints `canceled` (nobody ever sees it) or `retracted`, and how many it was for and had reached.
    """
    from notifier.change import cancel_notification

    use_own_sender()
    done = cancel_notification(id)
    click.echo(
        f"{done.status}: recipients={done.recipients} reached={done.reached} in_flight={done.in_flight}"
    )


@click.command()
@click.argument("user")
@click.argument("type", metavar="TYPE")
@click.argument("count", type=int)
def badge(user: str, type: str, count: int) -> None:
    """Set the badge TYPE of USER to COUNT and print the event's id."""
    from notifier.send import update_badge

    use_own_sender()
    click.echo(update_badge(user, type, count))
