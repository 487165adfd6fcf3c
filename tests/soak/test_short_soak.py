"""The short form of the soak; `make soak` runs all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.harness import backends
from tests.harness.rabbitmq import SharedRabbit
from tests.harness.site import running_site
from tests.soak.run import Size, soak
from tests.soak.samples import Sample, grown

SHORT = Size(seconds=25, alerts=20, sockets=30, every=3)


@pytest.mark.acceptance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", backends.KINDS)
def test_nothing_is_lost_and_acks_are_stored_in_time(
    kind: str, rabbit_server: SharedRabbit, tmp_path: Path
) -> None:
    with (
        backends.open_backend(kind, tmp_path / "var", rabbit_server) as backend,
        running_site(backend, tmp_path) as site,
    ):
        done = asyncio.run(soak(site, SHORT, 1))
    assert done.breaches == []
    assert done.accepted == pytest.approx(SHORT.seconds * SHORT.alerts, abs=2)
    assert done.visits > SHORT.sockets
    assert len(done.samples) > 3


def test_what_grows_is_named_except_the_log() -> None:
    samples = [
        Sample(
            memory={"web 1": 100.0 + number},
            handles={"web 1": 40.0},
            rows={"notifier_deliveries": 1000.0 * number, "notifier_devices": 100.0 * number},
        )
        for number in range(40)
    ]
    assert [line.partition(":")[0] for line in grown(samples)] == [
        "memory of web 1",
        "rows of notifier_devices",
    ]
