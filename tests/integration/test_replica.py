"""Reports and the audit from a PostgreSQL replica, which can only be read (docs/tune.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import processes
from tests.harness.past import write_past
from tests.harness.postgres import PrivatePostgres, PrivateReplica, execute
from tests.harness.waiting import until

COMMANDS = (
    *(("notifier", "report", name, "--format", "json") for name in ("daily", "notifications", "devices")),
    ("notifier", "verify"),
)


@pytest.mark.timeout(600)
def test_reports_and_the_audit_need_only_to_read(tmp_path: Path) -> None:
    with PrivatePostgres() as primary:
        url = primary.create_database("live")
        write_past(url, a_day=5)
        with PrivateReplica(primary) as replica:
            assert execute(replica.admin_url, "SELECT pg_is_in_recovery()") == [(True,)]
            execute(url, "UPDATE notifier_notifications SET error = 'later' WHERE error IS NOT NULL")
            until(
                lambda: execute(
                    replica.url("live"), "SELECT 1 FROM notifier_notifications WHERE error = 'later'"
                ),
                20,
                "the replica follows",
            )
            for words in COMMANDS:
                there, here = (
                    processes.run(
                        *words, env={"NOTIFIER_DATABASE_URL": at, "NOTIFIER_VAR_DIR": str(tmp_path / "var")}
                    )
                    for at in (replica.url("live"), url)
                )
                assert (there.returncode, there.stdout) == (0, here.stdout), there.stderr
                assert there.stdout.strip()
