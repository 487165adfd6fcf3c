"""The command `up`: migrate, then web and worker together."""

import contextlib
import socket
import sys
from functools import partial

import click

from cli.address import check_address
from cli.environment import child_environment
from cli.migrate import bring_up_to_date
from notifier.channels import defined_channels
from notifier.settings import PREFIX, Settings


@click.command()
def up() -> None:
    """Migrate, then run web and worker together until Ctrl-C."""
    from cli.supervise import Supervisor
    from monitoring import logs
    from usecases import definitions

    settings = Settings.load()
    logs.configure(settings)
    definitions.load(settings)
    check_address(settings)
    settings.signing_secret()
    settings.backend_keys()
    bring_up_to_date(settings)
    here = [sys.executable, "-P", "-m", "cli"]
    environ = child_environment()
    if "log_level" not in settings.model_fields_set:
        environ[f"{PREFIX}LOG_LEVEL"] = "WARNING"  # `_announce` prints the only line when everything is well
    supervisor = Supervisor(
        _parts(settings, here),
        environ=environ,
        added={"reach": _metrics_port(settings)},
        grace=settings.restart_grace + 10,
        started=partial(_listening, settings.host, settings.port),
        announce=partial(_announce, settings),
    )
    sys.exit(supervisor.run())


def _parts(settings: Settings, here: list[str]) -> dict[str, list[str]]:
    """Return the commands of what runs together: the worker for channels only where one is set up."""
    parts = {"worker": [*here, "worker"], "web": [*here, "web"]}
    if settings.email_on or settings.push_on or defined_channels():
        parts["reach"] = [*here, "worker", "--queues", "reach"]
    return parts


def _metrics_port(settings: Settings) -> dict[str, str]:
    """Return the metrics port of the worker for channels: the one after the worker's."""
    port = settings.worker_metrics_port
    return {} if port is None else {f"{PREFIX}WORKER_METRICS_PORT": str(port + 1)}


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
    with contextlib.suppress(OSError):  # a closed output must not stop the service
        click.echo(f"{click.style('Live Notifications', bold=True)} on {click.style(f'{site}/', fg='cyan')}"
                   "  (Ctrl-C stops)")  # fmt: skip
        for name, where in lines.items():
            click.echo(f"  {name:<10}{where}")
