"""The commands that run a server: `web`, `worker`; and `beat`, which is not needed any more."""

import os
import signal
import sys

import click

from cli.environment import child_environment
from cli.help import example
from notifier.settings import Settings


@click.command(epilog=example("notifier web", "NOTIFIER_HOST=0.0.0.0 NOTIFIER_PORT=8080 notifier web"))
def web() -> None:
    """Run the web process: the HTTP API and the sockets.

    It is gunicorn with gevent. It needs a migrated database; SIGTERM stops it gracefully, SIGHUP reloads it.
    """
    from usecases.listen_address import check_address

    settings = Settings.load()
    settings.signing_secret()
    settings.backend_keys()
    _check_database_url(settings)
    check_address(settings)
    _become("web", "--config", "python:web.gunicorn_config")


@click.command(
    epilog=example("notifier worker", "notifier worker --concurrency 4", "notifier worker --queues reach")
)
@click.option(
    "--concurrency",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    metavar="N",
    help="How many processes; more than 1 uses Celery's prefork pool.",
)
@click.option(
    "--queues",
    type=click.Choice(["tasks", "reach"]),
    default="tasks",
    show_default=True,
    help="What it works on: sending, or the channels (reach) in NOTIFIER_REACH_CONCURRENCY threads each.",
)
def worker(concurrency: int, queues: str) -> None:
    """Run a worker, which dispatches what was sent.

    It is a Celery worker. Start one more with `--queues reach` when mail, push or a channel of your own is
    set up. SIGTERM lets it finish what it has begun.
    """
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
        "worker", "--loglevel", settings.log_level, *pool, *quiet, *consume,
        "--hostname", f"notifier-{os.getpid()}@%h",
    )  # fmt: skip


@click.command(epilog=example("notifier beat"))
def beat() -> None:
    """Do nothing until it is stopped: it is not needed now.

    Each worker sweeps by itself.

    A supervisor that was configured for an earlier version still starts this command. If it ended, the
    supervisor would start it again and again, or stop everything else.
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
