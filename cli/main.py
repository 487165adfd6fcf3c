"""The command `notifier` (docs/contract.md#1-commands): how it ends, and the list of its commands.

Each module of this package has a group of commands; a command imports what it needs when it runs.
"""

import sys
from typing import Any

import click

from cli import (
    dead,
    explain,
    inbox,
    listen,
    migrate,
    output,
    recipient,
    rejected,
    reports,
    restore,
    revoke,
    send,
    servers,
    up,
    verify,
)
from cli.help import example, write_commands
from notifier.core.errors import InvalidInput, NotifierError, SettingError

#: The list of commands as the help shows it.
PARTS = {
    "Run": ("up", "web", "worker", "migrate", "beat"),
    "Send": ("send", "badge", "cancel"),
    "Look": ("tail", "inbox", "explain", "report", "verify"),
    "People": ("recipient", "token", "revoke"),
    "Operate": ("dead", "rejected", "purge", "restored", "grant-reporting"),
}


class Commands(click.Group):
    """The group of all commands: our errors end a command with a line for each problem, and a status."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """Parse the options before the command's name."""
        try:
            return super().make_context(*args, **more)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as exc:
            _say_usage(exc)
            sys.exit(2)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as exc:
            _say_usage(exc)
            ctx.exit(2)
        except SettingError as exc:
            click.echo(str(exc), err=True)
            ctx.exit(2)
        except InvalidInput as exc:
            for problem in exc.problems:
                click.echo(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}", err=True)
            ctx.exit(2)
        except NotifierError as exc:
            click.echo(f"{exc.title}: {exc.detail}", err=True)
            ctx.exit(1)

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the program; when standard output cannot be written, print one line and exit with 1.

        A pipe whose reader has ended, as after `| head`, needs no line.
        """
        output.prepare()
        try:
            try:
                return super().main(*args, **more)
            finally:
                sys.stdout.flush()  # a failure can still be reported here
        except OSError as exc:
            if not output.at_fault(exc):
                raise
            if not isinstance(exc, BrokenPipeError):
                click.echo(f"standard output: {exc.strerror}", err=True)
            output.give_up()
            sys.exit(1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        write_commands(self, ctx, formatter, PARTS)


def _say_usage(exc: click.UsageError) -> None:
    where = exc.ctx.command_path if exc.ctx else "notifier"
    click.echo(f"{where}: {' '.join(exc.format_message().split())} (see {where} --help)", err=True)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        "notifier up", 'notifier send user-7 --title "Order Shipped" --message "It is on its way."',
        "notifier explain 01a2039b-fda2-72c5-a18a-520967a42dfe user-7",
    ),
)  # fmt: skip
@click.version_option(package_name="live-notifications-service")
def main() -> None:
    """Send durable live notifications, serve them, and look into them.

    Every command reads the settings: variables NOTIFIER_… of the environment, and a file `.env`. Its exit
    status is 0 for success, 1 when it could not do it, and 2 for wrong input or a wrong setting.
    """


for _command in (
    up.up,
    migrate.migrate,
    servers.web,
    servers.worker,
    servers.beat,
    send.send,
    send.badge,
    send.cancel,
    listen.token,
    listen.tail,
    inbox.inbox,
    verify.verify,
    reports.report,
    reports.purge,
    reports.grant_reporting,
    dead.dead,
    explain.explain,
    revoke.revoke,
    recipient.recipient,
    rejected.rejected,
    restore.restored,
):
    main.add_command(_command)
