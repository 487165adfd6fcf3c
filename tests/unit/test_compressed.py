"""A compressed message is rejected by its header, without being inflated."""

from __future__ import annotations

import bz2
import json
import lzma
import zlib
from pathlib import Path
from typing import Any

import amqp
import kombu.compression
import pytest
from kombu.transport import pyamqp

from notifier.broker.topology import TASK_QUEUE
from notifier.settings import Settings
from notifier.wake import SEND
from worker.compressed import as_it_came
from worker.rejections import fault

TASK = json.dumps([[], {"user_id": "u", "data": {}}, {}]).encode()
BODIES = {
    "application/x-bz2": bz2.compress(TASK),
    "bzip2": bz2.compress(TASK),
    "application/x-gzip": zlib.compress(TASK),
    "gzip": zlib.compress(TASK),
    "zlib": zlib.compress(TASK),
    "application/x-lzma": lzma.compress(TASK),
    "application/zstd": b"\x28\xb5\x2f\xfd",
    "unheard-of": b"x",
}


@pytest.fixture
def bomb(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the methods that were asked to inflate something."""
    asked: list[str] = []

    def decompress(_body: bytes, method: str) -> bytes:
        asked.append(method)
        return b""

    monkeypatch.setattr(kombu.message, "decompress", decompress)
    return asked


@pytest.fixture(scope="module")
def tasks() -> dict[str, Any]:
    from worker.app import app

    app.loader.import_default_modules()
    return dict(app.tasks)


@pytest.mark.parametrize("method", BODIES)
def test_a_message_of_amqp_is_rejected_uninflated(
    method: str, bomb: list[str], tasks: dict[str, Any]
) -> None:
    headers = {"task": SEND, "id": "1", "compression": method}
    raw = amqp.Message(BODIES[method], content_type="application/json", application_headers=headers)
    raw.delivery_info = {"delivery_tag": 1}
    message = as_it_came(pyamqp.Message)(raw)
    assert bomb == []
    assert message.body == BODIES[method]
    assert message.headers == headers  # kept complete, for an operator who looks at rejected messages
    assert not message.errors
    assert fault(message, tasks) == "compressed"


def test_the_worker_reads_the_file_broker_uninflated(
    bomb: list[str], tasks: dict[str, Any], tmp_path: Path
) -> None:
    from worker.app import make_app
    from worker.connection import QuickConnection

    app = make_app(Settings.load(_env_file=None, var_dir=tmp_path))
    with app.connection_for_read() as connection:
        assert isinstance(connection, QuickConnection)
        queue = kombu.Queue(TASK_QUEUE, channel=connection.default_channel)
        queue.declare()
        out = kombu.Producer(connection.default_channel, serializer="json")
        out.publish([[], {}, {}], TASK_QUEUE, headers={"task": SEND, "id": "1"}, compression="bzip2")
        message = queue.get(no_ack=True)
    assert bomb == []
    assert fault(message, tasks) == "compressed"


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [(None, None), ("utf-8", None), ("UTF-8", None), ("binary", None), ("us-ascii", None),
     ("bz2", "an encoding that is not UTF-8"), ("zlib_codec", "an encoding that is not UTF-8"),
     ("utf-16", "an encoding that is not UTF-8"), (7, "an encoding that is not UTF-8")],
)  # fmt: skip
def test_another_encoding_than_that_of_json_is_rejected(
    encoding: Any, reason: str | None, tasks: dict[str, Any]
) -> None:
    headers = {"task": SEND, "id": "1"}
    raw = amqp.Message(TASK, content_type="application/json", application_headers=headers)
    raw.properties["content_encoding"] = encoding
    raw.delivery_info = {"delivery_tag": 1}
    assert fault(as_it_came(pyamqp.Message)(raw), tasks) == reason
