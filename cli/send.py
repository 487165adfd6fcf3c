"""The commands that send: `send`, `badge`, and `cancel`."""

from typing import Any

import click

from cli.database import use_own_sender
from cli.help import example
from cli.print_json import JSON, counted, print_facts


@click.command(
    epilog=example(
        'notifier send user-7 --title "Order Shipped" --message "It is on its way." --type success',
        'notifier send user-7 --title Sale --message "Half price." --expires-in 3600 --collapse-key sale',
    )
)
@click.argument("user")
@click.option("--title", required=True, help="1 to 200 characters.")
@click.option("--message", required=True, help="1 to 4,000 characters.")
@click.option(
    "--type", "kind", default="info", show_default=True, help="One of info, warning, error, success."
)
@click.option("--action-label", metavar="LABEL", help="The text of a button; it needs --action-url.")
@click.option(
    "--action-url", metavar="URL", help="Where the button leads: https://… or a path like /orders/7."
)
@click.option(
    "--id", "id_", metavar="UUID", help="An id of your own, which makes the command safe to repeat."
)
@click.option("--category", metavar="NAME", help="What it is about, for people's preferences.")
@click.option("--deliver-at", metavar="TIME", help="When it is sent, like 2026-11-27T09:00:00+01:00.")
@click.option("--expires-at", metavar="TIME", help="When it is taken back, like --deliver-at.")
@click.option("--expires-in", type=float, metavar="SECONDS", help="The same, from now or from --deliver-at.")
@click.option("--collapse-key", metavar="KEY", help="It replaces an earlier alert with the same key.")
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
    """Send an alert to USER, and print its id.

    The id is printed once the notification is durable: no crash loses it from then on. A broker that is down
    delays it only.
    """
    from notifier.send import send_through

    use_own_sender()
    data: dict[str, Any] = {"title": title, "message": message, "type": kind}
    if action_label is not None or action_url is not None:
        given = {"label": action_label, "url": action_url}
        data["action"] = {name: value for name, value in given.items() if value is not None}
    click.echo(send_through(None, user, data, id=id_, **life))


@click.command(
    epilog=example(
        "notifier cancel 01a2039b-fda2-72c5-a18a-520967a42dfe",
        "notifier cancel 01a2039b-fda2-72c5-a18a-520967a42dfe --json",
    )
)
@click.argument("id", metavar="ID")
@JSON
def cancel(id: str, as_json: bool) -> None:
    """Stop a notification, or take it back.

    Prints `canceled` when nobody ever sees the notification ID, or `retracted` when it is taken back from
    those who have it; then how many it was for, how many it had reached, and how many mails or push
    messages are being sent at this moment.
    """
    from notifier.change import cancel_notification

    use_own_sender()
    done = cancel_notification(id)
    counts = {"recipients": done.recipients, "reached": done.reached, "in_flight": done.in_flight}
    print_facts({"status": done.status, **counts}, as_json, f"{done.status}: {counted(counts)}")


@click.command(epilog=example("notifier badge user-7 messages 3"))
@click.argument("user")
@click.argument("type", metavar="TYPE")
@click.argument("count", type=int)
def badge(user: str, type: str, count: int) -> None:
    """Set a badge of USER, and print the event's id.

    TYPE is messages, notifications or tasks; COUNT is a whole number from 0 on.
    """
    from notifier.send import update_badge

    use_own_sender()
    click.echo(update_badge(user, type, count))
