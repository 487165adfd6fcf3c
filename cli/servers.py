"""The commands that run a server: `web`, `worker`; and `beat`, which is not needed any more."""

import os
import signal
import sys

import click

from cli.address import check_address
from cli.environment import child_environment
from notifier.settings import Settings


@click.command()
def web() -> None:
    """Run the web process: HTTP API and WebSocket gateway (gunicorn, gevent)."""
    settings = Settings.load()
    settings.signing_secret()
    settings.backend_keys()
    _check_database_url(settings)
    check_address(settings)
    _become("web", "--config", "python:web.gunicorn_config")


@click.command()
@click.option("--concurrency", default=1, show_default=True, help="processes; more than 1 uses prefork")
@click.option(
    "--queues",
    type=click.Choice(["tasks", "reach"]),
    default="tasks",
    show_default=True,
    help="reach: channels alone, in NOTIFIER_REACH_CONCURRENCY threads each",
)
def worker(concurrency: int, queues: str) -> None:
    """Run a Celery worker."""
    settings = Settings.load()
    _check_database_url(settings)
    consume = []
    if queues == "reach":
        from notifier.broker.topology import REACH_QUEUE

        if concurrency != 1:
            raise click.UsageError("--concurrency is for tasks; channels have NOTIFIER_REACH_CONCURRENCY")
        consume = ["--queues", REACH_QUEUE]
    # "processes" is Celery's other name for prefork; with "prefork" the setting `worker_pool` would win.
    pool = ["--pool", "solo"] if concurrency == 1 else ["--pool", "processes", "-c", str(concurrency)]
    quiet = ["--without-gossip", "--without-mingle"]
    _become(
        "worker", "--quiet", "worker", "--loglevel", settings.log_level, *pool, *quiet, *consume,
        "--hostname", f"notifier-{os.getpid()}@%h",
    )  # fmt: skip


@click.command()
def beat() -> None:
    """Do nothing until stopped; not needed any more, since each worker sweeps by itself.

    A supervisor configured for an earlier version still starts it. If it ended, the supervisor would restart
    it again and again, or stop everything else.
    """
    click.echo("notifier beat is not needed any more: each worker sweeps by itself. Remove it.", err=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    while True:
        signal.pause()


def _check_database_url(settings: Settings) -> None:
    """Let the driver parse the URL before the server starts. Raises SettingError."""
    from notifier.outbox.engine import make_engine

    make_engine(settings.database_url).dispose()


def _become(module: str, *arguments: str) -> None:
    """Replace this process, so that signals reach the server itself."""
    sys.stderr.flush()
    command = [sys.executable, "-P", "-m", module, *arguments]
    os.execve(sys.executable, command, child_environment())  # noqa: S606
