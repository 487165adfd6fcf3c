"""Rows of a statement must have exactly its columns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from notifier.outbox.dialect import Rows

DIALECTS = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect}


@pytest.fixture(params=DIALECTS)
def connection(request: pytest.FixtureRequest) -> Any:
    return SimpleNamespace(dialect=DIALECTS[request.param]())


def test_a_row_that_lacks_a_column_is_an_error_and_not_a_null(connection: Any) -> None:
    with pytest.raises(KeyError, match="text"):
        Rows("some", number=sa.Integer, text=sa.Text).parameters(connection, [{"number": 1}])


def test_an_unknown_column_is_not_sent(connection: Any) -> None:
    given = Rows("some", number=sa.Integer).parameters(connection, [{"number": 1, "more": object()}])
    assert orjson.loads(given["some"]) == [{"number": 1}]
