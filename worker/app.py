"""The Celery application: the composition root of a worker.

`notifier worker`, or `celery -A worker.app worker`. The pool is `solo` by default: our tasks are short,
and prefork's pipes cost a single alert more than they give (docs/adr/0003); several workers are several
processes. Each worker has a timer that sweeps, in the process that talks to the broker.
"""

import logging
import signal
import sys
import warnings
from typing import Any, NoReturn

from celery import Celery, bootsteps
from celery.exceptions import SecurityWarning
from celery.signals import (
    celeryd_after_setup,
    celeryd_init,
    setup_logging,
    worker_ready,
    worker_shutting_down,
)

from monitoring import multiprocess
from monitoring.logs import configure
from notifier.broker.amqp_frames import frame_handler
from notifier.broker.topology import REACH_QUEUE, TASK_QUEUE, configure_celery
from notifier.core.errors import NotifierError, SettingError
from notifier.settings import Settings
from notifier.wake import CHUNK, SEND
from usecases import definitions, preflight
from worker import rejections
from worker.connection import QuickConnection
from worker.runtime import REACH, WorkerRuntime
from worker.timer import Timer

log = logging.getLogger(__name__)

SWEEP = "notifier.sweep"
BADGE = "notifier.update_badge"
PURGE = "notifier.purge"


def _stop(exc: SettingError) -> NoReturn:
    """End with status 2, as the commands do."""
    sys.stderr.write(f"{exc}\n")
    sys.exit(2)


try:
    settings = Settings.load()
except SettingError as exc:
    _stop(exc)


class SweepStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Sweep while the worker is connected to the broker: what waits is dispatched when it is back."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def include_if(self, consumer: Any) -> bool:
        """Not in a worker for channels alone."""
        return _consumes(consumer.app, TASK_QUEUE)

    def create(self, consumer: Any) -> Timer:  # noqa: ARG002
        """Return what Celery starts with its connection, and stops with it."""
        return Timer(runtime.chores())


def _consumes(app: Celery, queue: str) -> bool:
    return queue in app.amqp.queues.consume_from


class DueStep(SweepStep):
    """Check due times in a thread of its own, so that a long sweep does not delay them."""

    def create(self, consumer: Any) -> Timer:  # noqa: ARG002
        """Return what Celery starts with its connection, and stops with it."""
        return Timer([runtime.due_chore(), runtime.returns()])


def make_app(settings: Settings) -> Celery:
    """Return the Celery application for these settings; connects to nothing yet."""
    app = Celery("notifier", loader="app", include=["worker.tasks"])
    configure_celery(app, settings)
    app.amqp.Connection = QuickConnection
    app.steps["consumer"].add(SweepStep)
    app.steps["consumer"].add(DueStep)
    app.conf.update(
        task_default_queue=TASK_QUEUE,
        task_create_missing_queues=True,
        task_routes={name: {"queue": TASK_QUEUE} for name in (SEND, CHUNK, SWEEP, BADGE, PURGE)}
        | {REACH: {"queue": REACH_QUEUE}},
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # By-name tasks have data that is in no row yet: they are acked when it is stored.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_pool="solo",
        worker_consumer="worker.rejections:GuardedConsumer",
        worker_prefetch_multiplier=4,
        worker_send_task_events=False,
        worker_hijack_root_logger=True,
        worker_enable_remote_control=not settings.file_broker,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # While a node of a cluster stops, the others refuse its queues for a moment (404).
        broker_channel_error_retry=True,
        timezone="UTC",
    )
    if not settings.file_broker:
        # Undecodable properties and bodies of any size must not break the connection.
        app.conf.broker_transport_options["frame_handler"] = frame_handler(rejections.MAX_BODY)
    definitions.load(settings)
    return app


@celeryd_init.connect
@setup_logging.connect
def _logging(**_: object) -> None:
    """Use our log format instead of Celery's, from the first warning on."""
    configure(settings)


@celeryd_init.connect
def _no_warning_of_root(**_: object) -> None:
    """Hide Celery's warning about pickle as root: a worker accepts only JSON (`worker/rejections.py`)."""
    warnings.filterwarnings("ignore", category=SecurityWarning)


@celeryd_init.connect
def _not_worth_a_line(**_: object) -> None:
    """Hide Celery's warning about delayed tasks on quorum queues: ours wait two seconds (docs/adr/0021)."""
    logging.getLogger("celery.app.base").addFilter(
        lambda record: not str(record.msg).startswith("Direct exchanges are not supported")
    )


@celeryd_init.connect
def _reject(**_: object) -> None:
    """Reject messages, only in a worker: `celery inspect` needs the commands that a worker ignores."""
    rejections.listen()
    runtime.rejected_messages.listen()


@celeryd_init.connect
def _preflight(**_: object) -> None:
    """Check before the first task that the database has the schema of this version."""
    try:
        preflight.check_database(settings)
    except SettingError as exc:
        _stop(exc)


@celeryd_init.connect
def _measure(**_: object) -> None:
    """Count metrics if there is a port for them, in this process and in the pool's, which are forked later.

    Not at import, since `celery inspect` imports this module too.
    """
    port = settings.worker_metrics_port
    if port is None:
        return
    try:
        multiprocess.share(settings.var_dir / "metrics" / f"worker-{port}")
    except OSError as exc:
        sys.exit(f"NOTIFIER_VAR_DIR: no place for the metrics: {exc}")
    from worker.metrics import Metrics, ReachMetrics  # noqa: PLC0415  it looks for the folder when it is imported

    runtime.measures, runtime.reach_measures = Metrics(), ReachMetrics()


@worker_ready.connect
def _read_definitions_again(sender: Any, **_: object) -> None:
    """Read the definitions again on SIGHUP; with a pool of processes Celery restarts the pool instead."""
    if sender.pool is not None and type(sender.pool).__module__ == "celery.concurrency.solo":
        signal.signal(signal.SIGHUP, lambda *_: definitions.reload(settings))


@worker_ready.connect
def _show_metrics(**_: object) -> None:
    """Answer `/metrics` from the process that has the pool."""
    if settings.worker_metrics_port is not None:
        from worker.metrics import serve  # noqa: PLC0415

        serve(settings.host, settings.worker_metrics_port)


@celeryd_after_setup.connect
def _serve_channels(instance: Any, **_: object) -> None:
    """Serve channels in a worker that consumes their queue, also while the broker is away."""
    if _consumes(instance.app, REACH_QUEUE):
        try:
            runtime.serve_channels()
        except SettingError as exc:
            _stop(exc)


@worker_shutting_down.connect
def _stop_channels(**_: object) -> None:
    """Stop sending over channels; what is being sent is finished first."""
    runtime.stop_channels()


@worker_ready.connect
def _dispatch_what_waits(sender: Any, **_: object) -> None:
    """Drain the backlog at start-up, which also warms connections."""
    if not _consumes(sender.app, TASK_QUEUE):
        return
    try:
        runtime.dispatcher.drain()
    except NotifierError as exc:
        log.warning("the first drain is left to the sweep: error=%s", exc)


try:
    app = make_app(settings)
except SettingError as exc:
    _stop(exc)
runtime = WorkerRuntime(settings, app)
