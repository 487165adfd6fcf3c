"""Which rejected messages a worker stores."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from models.store import rejected
from models.tables import metadata
from notifier.outbox.engine import Database, make_engine
from worker.rejected_messages import PER_SECOND, RejectedMessages


@pytest.fixture
def database(tmp_path: Path) -> Database:
    made = Database(make_engine(f"sqlite:///{tmp_path / 'kept.db'}"))
    metadata.create_all(made.engine)
    return made


def rows(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(rejected.rejected(connection))


def test_only_tasks_are_kept(database: Database) -> None:
    rejected_messages = RejectedMessages(lambda: database)
    rejected_messages.keep(None, what="event")
    rejected_messages.keep(None, what="task", reason="not JSON", headers={}, content_type=None, body=b"{")
    assert [(row.reason, row.bytes, row.task) for row in rows(database)] == [("not JSON", 1, None)]


def test_of_a_flood_the_beginning_of_each_second_is_kept(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock = [7.0]
    rejected_messages = RejectedMessages(lambda: database, lambda: clock[0])
    for _ in range(PER_SECOND + 5):
        rejected_messages.keep(None, what="task")
    assert len(rows(database)) == PER_SECOND
    ours = [record for record in caplog.records if record.name == "worker.rejected_messages"]
    warned = [record for record in ours if record.levelno == logging.WARNING]
    assert len(warned) == 1
    clock[0] += 1
    rejected_messages.keep(None, what="task")
    assert len(rows(database)) == PER_SECOND + 1


def test_without_a_database_it_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = Database(make_engine("postgresql+psycopg://127.0.0.1:1/none"))
    RejectedMessages(lambda: nowhere).keep(None, what="task", reason="not JSON", body=b"of theirs")
    assert "rejected, but not kept: reason=not JSON" in caplog.text
    assert "of theirs" not in caplog.text
