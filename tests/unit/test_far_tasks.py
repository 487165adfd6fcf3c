"""A task with a time of its own is stored at once; its time is moved to a header of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from celery import Celery

from notifier.wake import SEND
from tests.unit.test_rejections import ID, Message, sent
from worker.far_tasks import ETA, keep_eta, never_runs


def seconds_ahead(eta: str) -> float:
    return (datetime.fromisoformat(eta) - datetime.now(UTC)).total_seconds()


def test_the_time_is_moved_out_of_celerys_sight() -> None:
    message = sent(countdown=86_400)
    keep_eta(message)
    assert message.headers["eta"] is None
    assert seconds_ahead(message.headers[ETA]) == pytest.approx(86_400, abs=60)


def test_a_task_without_one_stays_as_it_is() -> None:
    message = sent()
    before = dict(message.headers)
    keep_eta(message)
    assert message.headers == before


@pytest.mark.parametrize("as_text", [False, True])
def test_celerys_protocol_1_has_it_in_the_body(as_text: bool) -> None:
    made = Celery("theirs", set_as_current=False).amqp.as_task_v1(
        ID, SEND, (), {"user_id": "u"}, countdown=600
    )
    body: Any = orjson.dumps(made.body)
    message = Message(body.decode() if as_text else body)
    keep_eta(message)
    assert isinstance(message.body, str) is as_text
    said = orjson.loads(message.body)
    assert said["eta"] is None
    assert seconds_ahead(said[ETA]) == pytest.approx(600, abs=60)


def test_a_time_without_a_zone_is_utc() -> None:
    message = sent(eta=datetime(2027, 1, 2, 3, 4, 5))  # noqa: DTZ001
    keep_eta(message)
    assert datetime.fromisoformat(message.headers[ETA]) == datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_our_own_retry_stays_celerys_and_one_that_only_claims_to_be_does_not() -> None:
    near = sent(eta=datetime.now(UTC) + timedelta(seconds=30), retries=2)
    keep_eta(near)
    assert near.headers["eta"] is not None
    far = sent(eta=datetime.now(UTC) + timedelta(hours=1), retries=2)
    keep_eta(far)
    assert far.headers["eta"] is None


@pytest.mark.parametrize(
    ("eta", "expires", "never"),
    [
        (600, 300, True),
        (600, 600, True),
        (600, 601, False),
        (None, 300, False),
        (600, None, False),
    ],
)
def test_a_task_that_is_over_at_its_time_never_runs(
    eta: float | None, expires: float | None, never: bool
) -> None:
    begin = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    moments = [None if value is None else begin + timedelta(seconds=value) for value in (eta, expires)]
    as_sent = [None if moment is None else moment.isoformat() for moment in moments]
    assert never_runs(*as_sent) is never
    assert never_runs(as_sent[0], moments[1]) is never
    assert not never_runs(as_sent[0], "soon")
