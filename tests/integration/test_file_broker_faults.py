"""The file broker's folders are deleted while in use: they are made again, with one log line."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.broker import Publisher, connect
from notifier.settings import Settings
from tests.harness.waiting import until
from tests.integration.broker_listener import SECONDS, Listener, message
from web.gateway.broker_watch import BrokerWatch


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, var_dir=tmp_path)


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    """A gateway's listener, with a watch that checks each second."""
    listener = Listener(settings).connected()
    publisher = Publisher(settings)
    watch = BrokerWatch(publisher, listener.subscriber, "gw", users=lambda: ["ada"], missed=lambda: None)
    over = threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            watch.look()

    listener.subscribe("ada")
    watch.look()
    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield listener
    over.set()
    thread.join(SECONDS)
    listener.close()


@pytest.mark.parametrize("part", ["events", "events/gateways", "events/bindings", "."])
def test_deleted_folders_of_events_are_made_again(
    listener: Listener, settings: Settings, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    shutil.rmtree(settings.var_dir / "broker" / part)
    begun = time.monotonic()
    until(lambda: listener.recoveries == 1, SECONDS, "it is bound again")
    assert time.monotonic() - begun < 2
    Publisher(settings).publish([message("ada", 2)])
    assert listener.hears(1) == [("ada", 2)]
    lines = [r for r in caplog.records if r.levelno >= logging.WARNING and "state=unbound" in r.getMessage()]
    assert len(lines) == 1


def test_a_worker_outlives_the_folder_of_its_tasks(settings: Settings) -> None:
    with connect(settings) as connection:
        queue = connection.SimpleQueue("notifier")
        queue.put({"a": 1})
        shutil.rmtree(settings.var_dir / "broker" / "tasks")
        with pytest.raises(queue.Empty):
            queue.get(timeout=0.1)
        queue.put({"b": 2})
        assert queue.get(timeout=5).payload == {"b": 2}
