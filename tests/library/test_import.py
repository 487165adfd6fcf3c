"""`import notifier` costs an application nothing until a name is used, and a send loads no server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SERVICE = {"models", "usecases", "monitoring", "worker", "web", "cli", "client", "migrations", "examples"}
SERVERS = {"gevent", "gunicorn", "flask", "flask_sock", "alembic", "prometheus_client", "click_repl"}

LOADED = """
def loaded():
    import sys
    return {name.partition(".")[0] for name in sys.modules}
before = loaded()
"""


def run(program: str, folder: Path) -> str:
    """Run a program in a new interpreter, in an empty folder."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADED + program],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_the_standard_library_only(tmp_path: Path) -> None:
    told = run("import notifier, sys\nprint(*(loaded() - before - set(sys.stdlib_module_names)))", tmp_path)
    assert told.split() == ["notifier"]


def test_a_send_loads_no_module_of_the_service_and_no_server(tmp_path: Path) -> None:
    program = """
from notifier import Alert, send_notification, update_badge
from notifier.outbox.engine import make_engine
from notifier.outbox.tables import metadata
from notifier.settings import Settings
metadata.create_all(make_engine(Settings.load().database_url))
send_notification("user-7", Alert(title="Shipped", message="On its way.", type="success"))
update_badge("user-7", "messages", 3)
print(*loaded())
"""
    loaded = set(run(program, tmp_path).split())
    assert "notifier" in loaded
    assert not loaded & SERVICE
    assert not loaded & SERVERS
