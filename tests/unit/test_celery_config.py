"""Our tasks go to our broker, whatever the environment says to other Celery applications."""

import pytest
from celery import Celery

from notifier.broker.topology import TASK_QUEUE, configure_celery
from notifier.settings import Settings


@pytest.mark.parametrize("url", ["amqp://ours:5672//", "filesystem://"])
def test_celery_broker_url_of_the_environment_does_not_lead_our_tasks_away(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://theirs:5672//")
    app = Celery("ours", set_as_current=False)
    configure_celery(app, Settings.load(_env_file=None, broker_url=url))
    for connection in (app.connection_for_write(), app.connection_for_read()):
        assert "theirs" not in connection.as_uri()


def test_beat_purges_only_when_it_is_told_how_long_to_keep() -> None:
    from worker.app import PURGE, make_app

    for days, expected in ((0, {"sweep"}), (90, {"sweep", "purge"})):
        schedule = make_app(Settings.load(_env_file=None, retention_days=days)).conf.beat_schedule
        assert set(schedule) == expected
    assert schedule["purge"]["task"] == PURGE


@pytest.mark.parametrize(("kind", "arguments"), [("classic", {}), ("quorum", {"x-queue-type": "quorum"})])
def test_whoever_declares_the_task_queue_says_the_same_type(kind: str, arguments: dict[str, str]) -> None:
    """RabbitMQ refuses a declaration that differs from the first."""
    from worker.app import make_app

    settings = Settings.load(_env_file=None, broker_url="amqp://ours:5672//", task_queue_type=kind)
    waker = Celery("waker", set_as_current=False)
    configure_celery(waker, settings)
    for app in (waker, make_app(settings)):
        queue = app.amqp.queues[TASK_QUEUE]
        assert (queue.name, queue.durable, queue.queue_arguments or {}) == ("notifier", True, arguments)
