"""Hostile messages at the broker: rejected, counted, stored; they run and stop nothing."""

from __future__ import annotations

import bz2
import contextlib
import json
import pickle
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import pytest
from kombu import Exchange, Producer

from notifier.broker.topology import EXCHANGE, TASK_QUEUE, connect, routing_key
from notifier.settings import Settings
from tests.harness import backends, processes
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.scrape import scrape
from tests.harness.site import Site, new_user
from tests.harness.waiting import free_port, until

SEND = "notifier.send_notification"
ALERT = {"title": "t", "message": "m", "type": "info"}


class Bomb:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def v2(task: Any = SEND, id: Any = "1", **more: Any) -> dict[str, Any]:
    """Return the headers of a task message (Celery's protocol 2)."""
    return {"lang": "py", "task": task, "id": id, "root_id": id, "parent_id": None, "group": None, **more}


def body(kwargs: Any = None, args: Any = (), embed: Any = None) -> list[Any]:
    return [list(args), kwargs if kwargs is not None else {}, embed or {}]


def hostile(bomb: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return hostile messages: what is wrong -> body and options of the publish."""
    pickled = {"content_type": "application/x-python-serialize", "content_encoding": "binary"}
    as_json = {"content_type": "application/json", "content_encoding": "utf-8"}
    good = {"user_id": "u", "data": ALERT}
    return {
        "a pickle": (pickle.dumps(body(good)), {"headers": v2(), **pickled}),
        "a pickle that runs": (pickle.dumps(Bomb(bomb)), {"headers": v2(), **pickled}),
        "a pickle of protocol 1": (pickle.dumps(Bomb(bomb)), pickled),
        "yaml that runs": (
            f"!!python/object/apply:os.system ['touch {bomb}']".encode(),
            {"headers": v2(), "content_type": "application/x-yaml", "content_encoding": "utf-8"},
        ),
        "not JSON": (b"{", {"headers": v2(), **as_json}),
        "not JSON, protocol 1": (b"{", as_json),
        "not UTF-8": (b"\xff\xfe", {"headers": v2(), **as_json}),
        "nothing": (b"", {"headers": v2(), **as_json}),
        "no task": ({"hello": 1}, {}),
        "no object": ([1, 2], {}),
        "an unknown task": (body(), {"headers": v2("os.system")}),
        "an unknown task of protocol 1": ({"task": "os.system", "id": "1", "args": [], "kwargs": {}}, {}),
        "a task that is a list": (body(), {"headers": v2(["os.system"])}),
        "a task that is an object": (body(), {"headers": v2({"a": 1})}),
        "a body that is not a triple": ({"a": 1}, {"headers": v2()}),
        "a body that is too short": ([[]], {"headers": v2()}),
        "arguments that are a number": ([7, 7, 7], {"headers": v2()}),
        "an id that is a list": (body(good), {"headers": v2(id=["1"])}),
        "a time that is none": (body(good), {"headers": v2(eta="never")}),
        "an end that is none": (body(good), {"headers": v2(expires="never")}),
        "retries that are none": (body({"user_id": "u", "data": {}}), {"headers": v2(retries="many")}),
        "a limit that is none": (body({"user_id": "u", "data": {}}), {"headers": v2(timelimit="x")}),
        "wrong arguments": (body({"user_id": "u", "data": {"title": 1}}), {"headers": v2()}),
        "unknown arguments": (body({"user_id": "u", "data": ALERT, "shell": "ls"}), {"headers": v2()}),
        "too many arguments": (body(args=range(50)), {"headers": v2()}),
        "a huge body": (body({"user_id": "u", "data": {"title": "x" * 20_000_000}}), {"headers": v2()}),
        "a pickle as text": ("gASVAAAA", {"headers": v2(), "content_type": "application/x-python-serialize"}),
        **{
            f"compressed by {method}": (packed, {"headers": v2(compression=method), **as_json})
            for method, packed in {
                "application/x-bz2": bz2.compress(b" " * 20_000_000),
                "gzip": zlib.compress(json.dumps(body(good)).encode()),
                "application/zstd": b"\x28\xb5\x2f\xfd",
                "unheard-of": b"x",
            }.items()
        },
        "encoded as bz2": (
            bz2.compress(json.dumps(body(good)).encode()),
            {"headers": v2(), "content_type": "application/json", "content_encoding": "bz2"},
        ),
        "a type unheard of, encoded as bz2": (
            bz2.compress(b" " * 20_000_000),
            {"headers": v2(), "content_type": "application/x-unheard-of", "content_encoding": "bz2"},
        ),
        "a callback": (
            body(good, embed={"callbacks": [{"task": "notifier.purge"}]}),
            {"headers": v2()},
        ),
        "a task of Celery's own": (body({"task": {"task": SEND}, "it": [[]]}), {"headers": v2("celery.map")}),
        "deep JSON": (("[" * 50_000 + "]" * 50_000).encode(), {"headers": v2(), **as_json}),
    }


@pytest.fixture(scope="module", params=backends.KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield `notifier up` with the worker's metrics."""
    kind: str = request.param
    folder = tmp_path_factory.mktemp(f"hostile-{kind}")
    rabbit: SharedRabbit | None = request.getfixturevalue("rabbit_server") if kind == "production" else None
    with backends.open_backend(kind, folder / "var", rabbit) as backend:
        backend.env["NOTIFIER_WORKER_METRICS_PORT"] = str(free_port())
        site = Site(backend, folder)
        with contextlib.closing(site):
            yield site.up()


def settings(site: Site) -> Settings:
    backend = site.backend
    return Settings(
        _env_file=None,
        var_dir=backend.var_dir,
        database_url=backend.database_url,
        broker_url=backend.broker_url,
    )


@contextlib.contextmanager
def producer(site: Site) -> Iterator[Producer]:
    with connect(settings(site)) as connection, connection.channel() as channel:
        yield Producer(channel)


def rejected(site: Site) -> float:
    """Return how many tasks the worker has rejected."""
    url = f"http://127.0.0.1:{site.backend.env['NOTIFIER_WORKER_METRICS_PORT']}"
    return scrape(url)["notifier_rejected_messages_total what=task"]


def kept_of(site: Site) -> list[dict[str, Any]]:
    """Return what the command lists."""
    done = processes.run("notifier", "rejected", "list", env=site.backend.env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def still_works(site: Site) -> None:
    """Assert that an alert arrives."""
    user = new_user("after")
    with site.socket(user) as socket:
        site.send(user)
        socket.expect("event", seq=1)


@pytest.mark.parametrize("wrong", hostile(Path("x")))
def test_a_hostile_task_is_rejected_and_stops_nothing(site: Site, wrong: str, tmp_path: Path) -> None:
    bomb = tmp_path / "exploded"
    message, how = hostile(bomb)[wrong]
    before, rows, kept = rejected(site), site.rows("notifications"), site.rows("rejected_messages")
    with producer(site) as out:
        out.publish(message, routing_key=TASK_QUEUE, **{"serializer": "json", **how})
    until(lambda: rejected(site) == before + 1, 15, f"{wrong!r} is refused and counted")
    until(lambda: site.rows("rejected_messages") == kept + 1, 15, f"{wrong!r} is kept")
    assert not bomb.exists()
    assert site.rows("notifications") == rows
    still_works(site)
    assert all(process.alive for process in site.processes)


def test_an_operator_lists_shows_and_drops_rejected_messages(site: Site) -> None:
    before = rejected(site)
    said = {"user_id": "u", "data": {"title": "\x1b[31m", "secret": "of theirs"}}
    with producer(site) as out:
        out.publish(body(said), routing_key=TASK_QUEUE, serializer="json", headers=v2(origin="shop@web-1"))
        out.publish(
            b"\xff", routing_key=TASK_QUEUE, content_type="application/x-yaml", headers=v2("os.system")
        )
    until(lambda: rejected(site) == before + 2, 15, "both are refused")
    until(lambda: len(kept_of(site)) >= 2, 15, "both are kept")
    wrong, odd = kept_of(site)[-2:]
    assert (wrong["task"], odd["task"], odd["content_type"]) == (SEND, "os.system", "application/x-yaml")
    assert "data.message: Field required" in wrong["reason"]
    assert (odd["reason"], odd["bytes"]) == ("not JSON by its type", 1)
    shown = processes.run("notifier", "rejected", "show", wrong["id"], env=site.backend.env)
    assert "\x1b" not in shown.stdout
    assert json.loads(json.loads(shown.stdout)["body"])[1] == said
    assert "shop@web-1" in json.loads(shown.stdout)["headers"]
    shown = processes.run("notifier", "rejected", "show", odd["id"], env=site.backend.env)
    assert json.loads(shown.stdout)["base64"] == "/w=="
    dropped = processes.run("notifier", "rejected", "drop", odd["id"], env=site.backend.env)
    assert (dropped.returncode, dropped.stdout.strip()) == (0, odd["id"])
    assert odd["id"] not in {one["id"] for one in kept_of(site)}
    assert all("of theirs" not in process.log.read_text() for process in site.processes)


class Undecodable(amqp.Message):
    """A message whose timestamp is after the year 9999: py-amqp's own reader raises, and loses its position."""

    def _serialize_properties(self) -> bytes:
        return struct.pack(">HQ", 1 << 6, 1 << 60)


def test_properties_that_cannot_be_decoded_stop_nothing(site: Site) -> None:
    if site.backend.kind == "embedded":
        pytest.skip("the file broker has no such properties")
    before = rejected(site)
    with producer(site) as out:
        out.channel.basic_publish(Undecodable(b"[]"), exchange="", routing_key=TASK_QUEUE)
    until(lambda: rejected(site) == before + 1, 15, "it is refused and counted")
    still_works(site)


@pytest.mark.parametrize(
    "command", ["shutdown", "pool_restart", "rate_limit", "add_consumer", "cancel_consumer"]
)
def test_a_remote_control_message_does_not_control_a_worker(site: Site, command: str) -> None:
    if site.backend.kind == "embedded":
        pytest.skip("the file broker has no remote control at all")
    arguments = {
        "task_name": SEND,
        "rate_limit": "1/h",
        "queue": TASK_QUEUE,
        "modules": ["os"],
        "reload": True,
    }
    order = {"method": command, "arguments": arguments, "destination": None, "ticket": None}
    with producer(site) as out:
        out.publish(order, exchange=Exchange("celery.pidbox", "fanout"), serializer="json")
    still_works(site)
    still_works(site)


def test_a_hostile_event_reaches_no_socket(site: Site) -> None:
    if site.backend.kind == "embedded":
        pytest.skip("what is in the folder of the file broker: tests/unit/test_broker_file_bus.py")
    user = new_user("heard")
    with site.socket(user) as socket:
        before = scrape(site.backend.base_url).get("notifier_rejected_messages_total what=event", 0)
        with producer(site) as out:
            for headers, text in (
                ({}, b"{}"),
                ({"seq": "1"}, b"{}"),
                ({"seq": -1}, b"{}"),
                ({"seq": 1}, b"\xff"),
                ({"seq": 1}, b""),
                ({"seq": 1}, b"x" * 3_000_000),
            ):
                out.publish(
                    text,
                    exchange=Exchange(EXCHANGE, "direct", no_declare=True),
                    routing_key=routing_key(user),
                    headers=headers,
                    content_type="application/x-python-serialize",
                    content_encoding="binary",
                )
        until(
            lambda: (
                scrape(site.backend.base_url)["notifier_rejected_messages_total what=event"] == before + 6
            ),
            10,
            "all are refused and counted",
        )
        socket.nothing_before_pong()
        site.send(user)
        socket.expect("event", seq=1)
