"""docs/contract.md, section 5: what a caller sees while the broker or the database is down."""

from __future__ import annotations

import time

import pytest

from tests.chaos.outage import Outage
from tests.harness.backend_api import ALERT, BackendApi
from tests.harness.plain_socket import Socket
from tests.harness.waiting import until

pytestmark = [pytest.mark.timeout(180), pytest.mark.alone]


def test_while_the_broker_is_dead_posts_are_accepted_at_their_usual_speed(outage: Outage) -> None:
    with outage.socket() as socket:
        outage.stack.kill("rabbitmq")
        answers = [outage.timed() for _ in range(20)]
        assert {answer.status for answer, _ in answers} == {202}
        assert max(seconds for _, seconds in answers) < 0.5, answers
        outage.ready(503, "broker")
        assert outage.api.get("/healthz").status == 200
        outage.stack.start_again("rabbitmq")
        outage.ready(200)
        outage.all_arrive(socket, [answer.json["id"] for answer, _ in answers])
        socket.nothing_before_pong()


def test_while_the_broker_hangs_posts_are_accepted_at_their_usual_speed(outage: Outage) -> None:
    with outage.socket() as socket:
        outage.stack.freeze("rabbitmq")
        answers = [outage.timed() for _ in range(20)]
        outage.stack.thaw("rabbitmq")
        assert {answer.status for answer, _ in answers} == {202}
        assert max(seconds for _, seconds in answers) < 0.5, answers
        outage.all_arrive(socket, [answer.json["id"] for answer, _ in answers])


def test_a_socket_can_be_opened_while_the_broker_is_dead(outage: Outage) -> None:
    kept = outage.api.send(outage.user).json["id"]
    until(lambda: outage.api.notification(kept).json["status"] == "dispatched", 20, "dispatched")
    outage.stack.kill("rabbitmq")
    with Socket(outage.backend.ws_url) as socket:
        frames = socket.enter(outage.backend.token(outage.user), 0)
        assert [frame["id"] for frame in frames[1:-1]] == [kept]
        late = outage.api.send(outage.user).json["id"]
        outage.stack.start_again("rabbitmq")
        socket.expect("event", seconds=40, id=late)


def test_while_the_database_is_dead_a_post_is_503_at_once(outage: Outage) -> None:
    with outage.socket() as socket:
        first = outage.api.send(outage.user).json["id"]
        socket.expect("event", id=first)
        outage.stack.kill("postgres")
        answers = [outage.timed() for _ in range(5)]
        for answer, seconds in answers:
            assert answer.status == 503, answer
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["content-type"] == "application/problem+json"
            assert seconds < 2
            for leak in ("psycopg", "sqlalchemy", "connection", "127.0.0.1", "Traceback"):
                assert leak not in answer.text
        outage.ready(503, "database")
        assert outage.api.get("/healthz").status == 200
        socket.nothing_before_pong()
        outage.stack.start_again("postgres")
        outage.ready(200)
        second = outage.api.send(outage.user).json["id"]
        socket.expect("event", seconds=30, seq=2, id=second)


def test_while_the_database_hangs_a_caller_is_answered_in_bounded_time(outage: Outage) -> None:
    outage.stack.freeze("postgres")
    try:
        begun = time.monotonic()
        with BackendApi(outage.backend.base_url, outage.backend.api_key, timeout=20) as patient:
            answer = patient.send(outage.user)
        assert answer.status == 503, answer
        assert time.monotonic() - begun < 15
        assert outage.api.get("/healthz").status == 200
    finally:
        outage.stack.thaw("postgres")


def test_a_hello_while_the_database_is_dead_is_told_to_reconnect(outage: Outage) -> None:
    outage.stack.kill("postgres")
    with Socket(outage.backend.ws_url) as socket:
        socket.send(op="hello", token=outage.backend.token(outage.user), after=0)
        assert 0 < float(socket.expect_close(1012).split()[0]) <= 60
    outage.stack.start_again("postgres")
    outage.ready(200)
    with outage.socket() as socket:
        identity = outage.api.send(outage.user, ALERT).json["id"]
        socket.expect("event", seq=1, id=identity)
