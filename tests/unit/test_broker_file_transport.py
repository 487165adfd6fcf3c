"""Celery's file transport: each fault of kombu's own stays fixed."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kombu
import pytest
from kombu.exceptions import ChannelError

from notifier.broker import connect
from notifier.broker.file_transport import GRACE, REJECTED
from notifier.broker.topology import connection_options
from notifier.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, var_dir=tmp_path)


@pytest.fixture
def folder(settings: Settings) -> Path:
    return connection_options(settings).tasks_folder


@pytest.fixture
def channel(settings: Settings) -> Iterator[Any]:
    with connect(settings) as connection:
        yield connection.default_channel


def envelope(channel: Any, body: str) -> dict[str, Any]:
    message: dict[str, Any] = channel.prepare_message(body)
    channel._inplace_augment_message(message, "", "q")
    return message


def put(channel: Any, body: str, queue: str = "q") -> None:
    channel.basic_publish(channel.prepare_message(body), exchange="", routing_key=queue)


def got(channel: Any, queue: str = "q") -> str | None:
    message = channel.basic_get(queue, no_ack=True)
    return None if message is None else message.body.decode()


def drop(folder: Path, name: str, text: str, age: float = 0) -> Path:
    """Write a file as another producer may have left it."""
    file = folder / name
    file.write_text(text)
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def test_a_message_is_received_once_and_unchanged(channel: Any, folder: Path) -> None:
    put(channel, "héllo")
    assert got(channel, "other") is None
    assert got(channel) == "héllo"
    assert got(channel) is None
    assert list(folder.iterdir()) == []


def test_no_reader_ever_sees_half_a_message(channel: Any, folder: Path) -> None:
    seen, stop, broken = set(), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            for file in folder.glob("[!.]*.msg"):
                if file.name not in seen:
                    seen.add(file.name)
                    try:
                        json.loads(file.read_bytes())
                    except ValueError:
                        broken.append(file.name)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(100):
        put(channel, "x" * 50_000)
    stop.set()
    reader.join()
    assert seen
    assert broken == []


@pytest.mark.parametrize("half", ["", '{"body": "aGk', '{"body"'])
def test_a_file_that_is_still_written_is_waited_for(channel: Any, folder: Path, half: str) -> None:
    file = drop(folder, "1_x.q.msg", half)
    put(channel, "later")
    assert got(channel) == "later"
    assert got(channel) is None
    file.write_text(json.dumps(envelope(channel, "whole")))
    assert got(channel) == "whole"


@pytest.mark.parametrize(
    "junk",
    ["", "{", "[]", "null", "7", "{}", '{"properties": []}', '{"properties": {}}',
     '{"properties": {"delivery_tag": "1", "body_encoding": "base64"}, "body": "a"}',
     '{"properties": {"delivery_tag": "1", "body_encoding": "rot13"}, "body": "!"}'],
)  # fmt: skip
def test_a_file_that_never_becomes_a_message_is_moved_aside_with_a_log_line(
    channel: Any, folder: Path, junk: str, caplog: pytest.LogCaptureFixture
) -> None:
    drop(folder, "1_x.q.msg", junk, age=GRACE + 1)
    put(channel, "good")
    with caplog.at_level(logging.WARNING):
        assert got(channel) == "good"
    assert [f.name for f in folder.iterdir()] == [REJECTED]
    assert (folder / REJECTED / "1_x.q.msg").read_text() == junk
    assert len([r for r in caplog.records if "1_x.q.msg" in r.message]) == 1


def test_bytes_that_are_not_text_are_moved_aside(channel: Any, folder: Path) -> None:
    file = drop(folder, "1_x.q.msg", "")
    file.write_bytes(b"\xff\xfe\x00")
    os.utime(file, (0, 0))
    assert got(channel) is None
    assert (folder / REJECTED / "1_x.q.msg").exists()


def test_the_oldest_comes_first_by_number_not_by_letter(channel: Any, folder: Path) -> None:
    for stamp in (1000, 999, 100, 20):
        drop(folder, f"{stamp}_x.q.msg", json.dumps(envelope(channel, str(stamp))))
    assert [got(channel) for _ in range(4)] == ["20", "100", "999", "1000"]


def test_messages_of_one_producer_keep_their_order(channel: Any) -> None:
    for number in range(200):
        put(channel, str(number))
    assert [got(channel) for _ in range(200)] == [str(n) for n in range(200)]


def test_of_many_consumers_one_gets_each_message(settings: Settings, channel: Any) -> None:
    for number in range(200):
        put(channel, str(number))
    taken: list[str] = []

    def consume() -> None:
        with connect(settings) as connection:
            while (body := got(connection.default_channel)) is not None:
                taken.append(body)

    threads = [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == [str(n) for n in range(200)]


def test_no_binding_is_lost_when_many_bind_for_the_first_time(settings: Settings, channel: Any) -> None:
    together = threading.Barrier(8)

    def bind(number: int) -> None:
        with connect(settings) as connection:
            queue = kombu.Queue(f"q{number}", kombu.Exchange("ex", "direct"), routing_key="k")
            together.wait(10)
            queue(connection.default_channel).declare()

    threads = [threading.Thread(target=bind, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row.queue for row in channel.get_table("ex")) == [f"q{n}" for n in range(8)]


def test_deleting_a_queue_takes_its_binding_and_messages(channel: Any, folder: Path) -> None:
    for name in ("a", "b"):
        kombu.Queue(name, kombu.Exchange("ex", "direct"), routing_key="k")(channel).declare()
    put(channel, "x", queue="a")
    channel.queue_delete("a")
    assert [row.queue for row in channel.get_table("ex")] == ["b"]
    assert list(folder.glob("*.a.msg")) == []


def test_an_exchange_file_that_is_damaged_stops_nobody(settings: Settings, channel: Any) -> None:
    file = connection_options(settings).folder / "control" / "ex.exchange"
    file.write_text('[["k", "", "q"')
    assert channel.get_table("ex") == []
    kombu.Queue("q", kombu.Exchange("ex", "direct"), routing_key="k")(channel).declare()
    assert [row.queue for row in channel.get_table("ex")] == ["q"]


def test_a_plain_kombu_producer_is_understood(channel: Any, folder: Path, tmp_path: Path) -> None:
    options = {
        "data_folder_in": str(folder),
        "data_folder_out": str(folder),
        "control_folder": str(tmp_path / "theirs"),
    }
    with kombu.Connection("filesystem://", transport_options=options) as plain:
        plain.SimpleQueue("q").put({"a": 1})
    assert got(channel) == '{"a": 1}'


def test_folders_do_not_share_their_bindings(settings: Settings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        with connect(settings.model_copy(update={"var_dir": tmp_path / name})) as connection:
            kombu.Queue("q", kombu.Exchange("ex", "direct"))(connection.default_channel).declare()
            assert len(connection.default_channel.get_table("ex")) == 1


@pytest.mark.parametrize("queue", ["../out", "a/b", "a\0b"])
def test_a_queue_that_would_be_a_path_is_refused(channel: Any, queue: str) -> None:
    with pytest.raises(ChannelError):
        put(channel, "x", queue=queue)
