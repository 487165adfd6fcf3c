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
from notifier.core.errors import InvalidInput, NotifierError, SettingError


class Commands(click.Group):
    """The group of all commands: our errors end a command with a line for each problem, and a status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as exc:
            said, where = (
                " ".join(exc.format_message().split()),
                exc.ctx.command_path if exc.ctx else "notifier",
            )
            click.echo(f"{where}: {said} (see {where} --help)", err=True)
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
        """Run the program; when standard output cannot be written, print one line and exit with 1."""
        output.prepare()
        try:
            try:
                return super().main(*args, **more)
            finally:
                sys.stdout.flush()  # a failure can still be reported here
        except OSError as exc:
            if not output.at_fault(exc):
                raise
            click.echo(f"standard output: {exc.strerror}", err=True)
            output.give_up()
            sys.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="live-notifications-service")
def main() -> None:
    """Durable live notifications: send, serve, inspect."""


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
