"""The command `notifier` (docs/contract.md#1-commands). Each command imports what it needs when it runs."""

import contextlib
import os
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from cli import dead, explain, output, rejected, reports, restore, revoke
from cli.address import check_address
from cli.database import use_own_sender
from cli.environment import child_environment
from notifier.core.errors import InvalidInput, NotifierError, SettingError
from notifier.private import close_to_others
from notifier.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent


class Commands(click.Group):
    """Our errors end a command with one clear line (a line a problem) and a status."""

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
        """Run the program; a standard output that cannot be written to is one line and status 1."""
        output.prepare()
        try:
            try:
                return super().main(*args, **more)
            finally:
                sys.stdout.flush()  # here it can still be told
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


@main.command()
def up() -> None:
    """Migrate, then run web and worker together until Ctrl-C."""
    from cli.supervise import Supervisor
    from monitoring import logs
    from usecases import definitions

    settings = Settings.load()
    logs.configure(settings)
    definitions.read_file(settings)
    check_address(settings)
    settings.signing_secret()
    settings.backend_keys()
    _migrate()
    here = [sys.executable, "-P", "-m", "cli"]
    environ = child_environment()
    if "log_level" not in settings.model_fields_set:
        environ[f"{PREFIX}LOG_LEVEL"] = "WARNING"  # what goes well is said once, by `_announce`
    supervisor = Supervisor(
        {"worker": [*here, "worker"], "web": [*here, "web"]},
        environ=environ,
        grace=settings.restart_grace + 10,
        started=partial(_listening, settings.host, settings.port),
        announce=partial(_announce, settings),
    )
    sys.exit(supervisor.run())


def _listening(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.2):
            return True
    except OSError:
        return False


def _announce(settings: Settings) -> None:
    site = f"http://{settings.address}{settings.prefix}"
    lines = {"dashboard": f"{site}/reports"} if settings.api_keys else {}
    if settings.embedded:
        lines |= {"API key": f"in {settings.var_dir / 'api-key'}", "data": f"in {settings.var_dir}/"}
    with contextlib.suppress(OSError):  # a closed output stops nothing
        click.echo(f"{click.style('Live Notifications', bold=True)} on {click.style(f'{site}/', fg='cyan')}"
                   "  (Ctrl-C stops)")  # fmt: skip
        for name, where in lines.items():
            click.echo(f"  {name:<10}{where}")


@main.command()
def migrate() -> None:
    """Bring the database to the newest schema.

    Creates again what a foreign `flask db migrate` dropped, and says which tables are empty now.
    """
    Settings.load()
    _migrate()


def _migrate() -> None:
    from models.migrate import migrate as upgrade

    settings = Settings.load()
    if settings.embedded:
        # What a version before 0600 has made.
        for ending in ("", "-wal", "-shm"):
            close_to_others(settings.var_dir / f"notifier.db{ending}")
    for line in upgrade(settings):
        click.echo(line, err=True)


@main.command()
def web() -> None:
    """Run the web process: HTTP API and WebSocket gateway (gunicorn, gevent)."""
    settings = Settings.load()
    settings.signing_secret()
    settings.backend_keys()
    _check_database_url(settings)
    check_address(settings)
    _become("web", "--config", "python:web.gunicorn_config")


@main.command()
@click.option("--concurrency", default=1, show_default=True, help="processes; more than 1 uses prefork")
def worker(concurrency: int) -> None:
    """Run a Celery worker."""
    settings = Settings.load()
    _check_database_url(settings)
    # "processes" is Celery's other name for prefork; the name itself would give way to `worker_pool`.
    pool = ["--pool", "solo"] if concurrency == 1 else ["--pool", "processes", "-c", str(concurrency)]
    quiet = ["--without-gossip", "--without-mingle"]
    _become(
        "worker", "--quiet", "worker", "--loglevel", settings.log_level, *pool, *quiet,
        "--hostname", f"notifier-{os.getpid()}@%h",
    )  # fmt: skip


@main.command()
def beat() -> None:
    """Not needed any more: each worker sweeps by itself. Waits until it is stopped.

    A supervisor's file of an earlier version still starts it, and would start it again for ever, or stop
    everything with it, if it ended.
    """
    click.echo("notifier beat is not needed any more: each worker sweeps by itself. Remove it.", err=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        signal.pause()


def _check_database_url(settings: Settings) -> None:
    """Let the driver read the URL before the server starts. Raises SettingError."""
    from notifier.outbox.engine import make_engine

    make_engine(settings.database_url).dispose()


def _become(module: str, *arguments: str) -> None:
    """Replace this process, so that signals reach the server itself."""
    sys.stderr.flush()
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(sys.executable, command, child_environment())  # noqa: S606


@main.command()
@click.argument("user")
@click.option("--title", required=True)
@click.option("--message", required=True)
@click.option("--type", "kind", default="info", show_default=True)
@click.option("--action-label")
@click.option("--action-url")
@click.option("--id", "id_")
def send(
    user: str,
    title: str,
    message: str,
    kind: str,
    action_label: str | None,
    action_url: str | None,
    id_: str | None,
) -> None:
    """Send an alert to USER and print its id."""
    from notifier.send import send_notification

    use_own_sender()
    data: dict[str, Any] = {"title": title, "message": message, "type": kind}
    if action_label is not None or action_url is not None:
        given = {"label": action_label, "url": action_url}
        data["action"] = {name: value for name, value in given.items() if value is not None}
    click.echo(send_notification(user, data, id=id_))


@main.command()
@click.argument("user")
@click.argument("type", metavar="TYPE")
@click.argument("count", type=int)
def badge(user: str, type: str, count: int) -> None:
    """Set the badge TYPE of USER to COUNT and print the event's id."""
    from notifier.send import update_badge

    use_own_sender()
    click.echo(update_badge(user, type, count))


@main.command()
@click.argument("user")
@click.option("--ttl", default=3600, show_default=True, type=click.IntRange(1), help="seconds")
def token(user: str, ttl: int) -> None:
    """Print a token that speaks for USER."""
    from notifier.tokens import Tokens

    click.echo(Tokens.from_settings(Settings.load()).mint(user, ttl))


@main.command()
@click.argument("user")
@click.option("--after", type=click.IntRange(0), help="resume after this seq")
@click.option("--url", help="the gateway's address  [default: ws://HOST:PORT/ws]")
def tail(user: str, after: int | None, url: str | None) -> None:
    """Print each event of USER as one JSON line; reconnects and resumes by itself."""
    from cli.tail import tail as follow
    from notifier.tokens import Tokens

    settings = Settings.load()
    tokens = Tokens.from_settings(settings)
    address = url or f"ws://{settings.address}{settings.prefix}/ws"
    try:
        for frame in follow(address, lambda: tokens.mint(user), after=after):
            click.echo(frame)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()


@main.command()
def verify() -> None:
    """Audit the database: is every accepted notification accounted for?"""
    from models.store import audit
    from notifier.outbox.engine import Database, make_engine

    database = Database(make_engine(Settings.load().database_url))
    with database.read() as connection:
        totals = audit.totals(connection)
        click.echo(" ".join(f"{name}={count}" for name, count in totals.items()))
        wrong = 0
        for violation in audit.violations(connection):
            wrong += 1
            click.echo(f"{violation.row}  ({violation.check})")
    click.echo(f"{wrong} rows do not fit" if wrong else "all accounted for")
    sys.exit(1 if wrong else 0)


for _command in (
    reports.report,
    reports.purge,
    reports.grant_reporting,
    dead.dead,
    explain.explain,
    revoke.revoke,
    rejected.rejected,
    restore.restored,
):
    main.add_command(_command)
