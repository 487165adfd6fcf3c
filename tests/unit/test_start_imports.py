"""What a process imports at its start, which is most of the time until it is ready."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory

from models import schema


def test_the_schema_knows_the_migrations_as_alembic_does() -> None:
    alembic = ScriptDirectory(str(schema.MIGRATIONS))
    assert schema.newest() == alembic.get_current_head()
    chain = {script.revision: script.down_revision or "" for script in alembic.walk_revisions()}
    assert schema.revisions() == chain


@pytest.mark.parametrize("process", ["worker.__main__", "web.app", "usecases.preflight"])
def test_a_server_imports_nothing_that_it_may_never_need(process: str) -> None:
    """Only `notifier migrate` needs alembic, only a file of definitions jsonschema, only `celery shell` a prompt."""
    slow = {"alembic", "jsonschema", "click_repl", "prompt_toolkit"}
    check = f"import sys, {process}; print(*({slow!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
