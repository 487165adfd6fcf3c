"""The lines that `notifier up` prints once everything runs: addresses and files."""

import os
import sys

import click

from notifier.settings import Settings


def start_lines(settings: Settings) -> list[tuple[str, str]]:
    """Return the lines as pairs of a name and a value; the first one is the address."""
    site = f"http://{settings.address}{settings.prefix}"
    lines = [("Live Notifications", f"{site}/"), ("dashboard", f"{site}/reports")]
    if settings.demo_on:
        lines.append(("mailbox", f"{site}/mail"))
    if settings.embedded:
        if not settings.api_keys:
            lines.append(("API key", f"in {settings.var_dir / 'api-key'}"))
        lines.append(("data", f"in {settings.var_dir}/"))
    return lines


def announce(settings: Settings) -> None:
    """Print the lines, in colour on a terminal unless NO_COLOR is set (https://no-color.org)."""
    (title, address), *more = start_lines(settings)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def styled(text: str, **style: object) -> str:
        return click.style(text, **style) if colour else text  # type: ignore[arg-type]

    click.echo(f"{styled(title, bold=True)} on {styled(address, fg='cyan')}  (Ctrl-C stops)")
    for name, value in more:
        click.echo(f"  {styled(f'{name:<10}', dim=True)}{value}")
