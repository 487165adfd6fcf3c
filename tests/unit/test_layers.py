"""Import rules that import-linter cannot check: allowed lists, and what an import really loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PURE = sorted(path.stem for path in (REPO / "notifier" / "core").glob("*.py"))
ALLOWED = {"notifier", "pydantic", "pydantic_core", "pydantic_settings", "orjson", "uuid_utils"}
HEAVY = (
    "sqlalchemy",
    "celery",
    "kombu",
    "amqp",
    "flask",
    "werkzeug",
    "gevent",
    "psycopg",
    "models",
    "web",
    "worker",
)


def imports_of(path: Path) -> set[str]:
    """The top-level names of every module that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def run(program: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in a new interpreter."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPO,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_the_standard_library_and_pydantic_only(module: str) -> None:
    strangers = imports_of(REPO / "notifier" / "core" / f"{module}.py") - ALLOWED - sys.stdlib_module_names
    assert not strangers


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_pure_modules_only(module: str) -> None:
    tree = ast.parse((REPO / "notifier" / "core" / f"{module}.py").read_text())
    ours: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "notifier.core":
            ours |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("notifier."):
            package, _, name = (node.module or "").removeprefix("notifier.").partition(".")
            ours.add(name if package == "core" else package)
    assert ours <= set(PURE)


@pytest.mark.parametrize(
    "line",
    [
        "import notifier",
        "from notifier import Alert, Badge, define_event, NotifierError, InvalidInput",
        "import notifier.core.session, notifier.settings, notifier.core.draft",
        "from notifier import client_connected, notification_delivered",
    ],
)
def test_importing_the_words_loads_nothing_heavy(line: str) -> None:
    done = run(f"{line}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})")
    assert done.returncode == 0, done.stderr
    assert not set(done.stdout.split()) & set(HEAVY)


def test_importing_everything_that_an_application_uses_reads_no_setting_and_connects_to_nothing() -> None:
    # A wrong setting would stop a module that reads it.
    done = run(
        """
import socket, threading
def refuse(*_): raise SystemExit("connected")
socket.socket.connect = refuse
from notifier import Alert, send_notification, update_badge
print(threading.active_count())
""",
        {"NOTIFIER_PORT": "no number", "NOTIFIER_DATABASE_URL": "oracle://"},
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


PACKAGES = ("notifier", "models", "usecases", "monitoring", "worker", "web", "cli")


def modules() -> dict[str, Path]:
    """Return all our modules by their dotted names."""
    found = {}
    for package in PACKAGES:
        for path in (REPO / package).rglob("*.py"):
            parts = path.relative_to(REPO).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Our modules that a file imports when it is imported itself: not inside functions or for types alone."""

    def statements(body: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for node in body:
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            if isinstance(node, ast.If | ast.Try | ast.With):
                found += statements(node.body)
            found.append(node)
        return found

    names: set[str] = set()
    for node in statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import module` is an import of the module.
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (inner & set(known)) or {node.module}
    return names & set(known)


def test_no_imports_form_a_circle() -> None:
    known = modules()
    graph = {name: imported(path, known) - {name} for name, path in known.items()}
    order: list[str] = []
    state: dict[str, str] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert state.get(name) != "open", " -> ".join((*way[way.index(name) :], name))
        if name in state:
            return
        state[name] = "open"
        for other in sorted(graph[name]):
            visit(other, (*way, name))
        state[name] = "done"
        order.append(name)

    for name in sorted(graph):
        visit(name, ())
    assert len(order) == len(known)
