"""Our tasks go to our broker, whatever the environment sets for other Celery applications."""

from pathlib import Path

import pytest
from celery import Celery

from notifier.broker.topology import TASK_QUEUE, configure_celery
from notifier.settings import Settings
from worker.sweep import Purge, Sweep


@pytest.mark.parametrize("url", ["amqp://ours:5672//", "filesystem://"])
def test_celery_broker_url_of_the_environment_does_not_change_our_broker(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://theirs:5672//")
    app = Celery("ours", set_as_current=False)
    configure_celery(app, Settings.load(_env_file=None, broker_url=url))
    for connection in (app.connection_for_write(), app.connection_for_read()):
        assert "theirs" not in connection.as_uri()


def test_a_worker_purges_only_when_it_is_told_how_long_to_keep(tmp_path: Path) -> None:
    from worker.app import make_app
    from worker.runtime import WorkerRuntime

    for days, expected in ((0, {Sweep}), (90, {Sweep, Purge})):
        settings = Settings.load(_env_file=None, retention_days=days, var_dir=tmp_path)
        app = make_app(settings)
        assert {type(chore) for chore in WorkerRuntime(settings, app).chores()} == expected
        assert not app.conf.beat_schedule


@pytest.mark.parametrize(("kind", "arguments"), [("classic", {}), ("quorum", {"x-queue-type": "quorum"})])
def test_every_part_declares_the_task_queue_with_the_same_type(kind: str, arguments: dict[str, str]) -> None:
    """RabbitMQ refuses a declaration that differs from the first."""
    from worker.app import make_app

    settings = Settings.load(_env_file=None, broker_url="amqp://ours:5672//", task_queue_type=kind)
    waker = Celery("waker", set_as_current=False)
    configure_celery(waker, settings)
    for app in (waker, make_app(settings)):
        queue = app.amqp.queues[TASK_QUEUE]
        assert (queue.name, queue.durable, queue.queue_arguments or {}) == ("notifier", True, arguments)
