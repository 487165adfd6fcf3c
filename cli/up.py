"""The command `up`: migrate, then web and worker together."""

import contextlib
import sys

import click

from cli.environment import child_environment
from cli.help import example
from cli.migrate import bring_up_to_date
from cli.start_lines import announce
from notifier.channels import defined_channels
from notifier.settings import PREFIX, Settings


@click.command(epilog=example("notifier up", "NOTIFIER_PORT=8080 notifier up"))
def up() -> None:
    """Migrate, then run web and worker until Ctrl-C.

    It prints where the service is, and after that warnings only. A part that dies is started again. SIGHUP
    reloads the web process. A wrong setting, or an address that is taken, stops the start with one line and
    exit status 2.
    """
    from cli.supervise import Supervisor
    from monitoring import logs
    from usecases import definitions, listen_address
    from usecases.ready import ReadyPipe

    settings = Settings.load()
    logs.configure(settings)
    definitions.load(settings)
    parts = _parts(settings, [sys.executable, "-P", "-m", "cli"])
    listen_address.check_address(settings)
    listen_address.check_metrics_ports(settings, len(parts) - 1)
    settings.signing_secret()
    settings.backend_keys()
    bring_up_to_date(settings)
    environ = child_environment()
    if "log_level" not in settings.model_fields_set:
        environ[f"{PREFIX}LOG_LEVEL"] = "WARNING"  # the start lines are the only ones when everything is well
    pipe = ReadyPipe()
    supervisor = Supervisor(
        parts,
        environ=environ,
        added={"web": pipe.environ, "reach": _metrics_port(settings)},
        inherited=[pipe.write_end],
        grace=settings.restart_grace + 10,
        started=pipe.told,
        announce=lambda: _announce(settings),
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


def _announce(settings: Settings) -> None:
    with contextlib.suppress(OSError):  # a closed output must not stop the service
        announce(settings)
