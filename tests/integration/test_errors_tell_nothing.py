"""The database's error about a row, in logs and in `error`, contains no user data."""

from __future__ import annotations

import traceback

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from models.tables import badges, notifications
from notifier.outbox.engine import Database
from tests.harness.world import World

SECRET = "your-diagnosis-is-ready"


def refused(database: Database, statement: sa.Executable) -> DBAPIError:
    with pytest.raises(DBAPIError) as caught:
        database.run(lambda connection: connection.execute(statement))
    return caught.value


def test_a_refused_row_is_not_shown(world: World) -> None:
    known = world.send("u1")
    again = sa.insert(notifications).from_select(
        [column.name for column in notifications.c if column.name != "number"],
        sa.select(
            *(
                sa.literal({"message": SECRET}, notifications.c.data.type)
                if column.name == "data"
                else column
                for column in notifications.c
                if column.name != "number"
            )
        ).where(notifications.c.id == known),
    )
    assert SECRET not in str(refused(world.database, again))


def test_a_row_without_what_it_must_have_is_not_shown(world: World) -> None:
    half = sa.insert(badges).values(user_id="u1", type=SECRET, count=None, seq=1)
    assert SECRET not in str(refused(world.database, half))


def test_neither_is_it_in_the_trace(world: World) -> None:
    half = sa.insert(badges).values(user_id="u1", type=SECRET, count=None, seq=1)
    error = refused(world.database, half)
    said = "".join(traceback.format_exception(error))
    assert "count" in said
    assert SECRET not in said
