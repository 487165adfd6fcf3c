"""The primary dies, a replica without its last commits is promoted, without any action of an operator (docs/runbook.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import failover


@pytest.mark.timeout(420)
@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "pgbouncer"])
def test_every_client_has_the_new_log_and_is_told_once(tmp_path: Path, pooled: bool) -> None:
    failover.run(tmp_path / "stack", 1, pooled=pooled)
