"""Alert rules and dashboard use existing metrics, are valid, and the alerts fire in their scenarios."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from prometheus_client.parser import text_string_to_metric_families

import worker.metrics
from models.tables import metadata, notifications, reach
from notifier.outbox.engine import Database, make_engine
from notifier.outbox.types import now
from web import metrics

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "monitoring"
RULES, RULE_TESTS = FOLDER / "alerts.yml", FOLDER / "alerts.test.yml"
RUNBOOK = (REPO / "docs" / "runbook.md").read_text()
NAME = re.compile(r"\bnotifier_\w+")
LABELS = re.compile(r"(notifier_\w+)\{([^}]*)\}")
PARTS = {"notifier-web", "notifier-worker"}


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return all metrics of web and worker, which share a registry in this process."""
    assert worker.metrics.REGISTRY is metrics.REGISTRY
    database = Database(make_engine(f"sqlite:///{tmp_path_factory.mktemp('db') / 'notifier.db'}"))
    metadata.create_all(database.engine)
    metrics.CLOSED.labels("4410")
    told = worker.metrics.ReachMetrics()
    told.reached("email", "sent", 0.1)
    told.paused("push", paused=False)
    _a_row_of_a_channel(database)
    text = metrics.exposition(database).decode()
    database.dispose()
    return text


def _a_row_of_a_channel(database: Database) -> None:
    """The numbers of channels have their labels only when there is a row."""
    notification = {"id": "01890a5d-ac96-774b-bcce-b302099a8057", "event": "alert", "data": {}, "inbox": True,
                    "sender": "s", "recipient": "u", "recipients": 1, "bulk": False, "request_hash": "h",
                    "accepted_at": now()}  # fmt: skip
    row = {"notification_id": notification["id"], "user_id": "u", "channel": "email", "address_id": 1,
           "category": "c", "state": "waiting", "required": False, "due_at": now(), "next_at": now()}  # fmt: skip
    with database.write() as connection:
        connection.execute(sa.insert(notifications).values(notification))
        connection.execute(sa.insert(reach).values(row))


@pytest.fixture(scope="module")
def exposed(exposition: str) -> dict[str, set[str]]:
    """Return each sample's name and labels, as the client library's parser reads them."""
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
    return loaded


def questions(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(a panel's title, what it asks Prometheus)."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def asked(rules: list[dict[str, Any]], dashboard: dict[str, Any]) -> list[str]:
    return [rule["expr"] for rule in rules] + [expression for _, expression in questions(dashboard)]


# ---------------------------------------------------------------------- always


def test_every_used_metric_exists(
    exposed: dict[str, set[str]], rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    named = {name for expression in asked(rules, dashboard) for name in NAME.findall(expression)}
    assert named
    assert named <= set(exposed)


def test_every_used_label_exists(
    exposed: dict[str, set[str]], rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    for expression in asked(rules, dashboard):
        for name, matchers in LABELS.findall(expression):
            assert {matcher.partition("=")[0].strip() for matcher in matchers.split(",")} <= exposed[name]


def test_every_metric_is_shown_on_the_dashboard(
    exposed: dict[str, set[str]], dashboard: dict[str, Any]
) -> None:
    shown = {name for _, expression in questions(dashboard) for name in NAME.findall(expression)}
    families = {re.sub("_(sum|count)$", "_bucket", name) for name in exposed}
    assert families == shown


def test_every_metric_is_explained(exposed: dict[str, set[str]]) -> None:
    families = {re.sub("_(sum|count|bucket)$", "", name) for name in exposed}
    assert {name for name in families if f"`{name}" not in RUNBOOK} == set()


def test_no_series_says_when_a_counter_was_made(exposed: dict[str, set[str]]) -> None:
    assert not [name for name in exposed if name.endswith("_created")]


def test_every_alert_says_what_it_means_and_what_to_do(rules: list[dict[str, Any]]) -> None:
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert re.search(rf"^#+ {rule['alert']}$", RUNBOOK, re.MULTILINE), rule["alert"]


def test_every_runbook_entry_has_its_alert(rules: list[dict[str, Any]]) -> None:
    entries = set(re.findall(r"^#+ (Notifier\w+)$", RUNBOOK, re.MULTILINE))
    assert entries == {rule["alert"] for rule in rules}


def test_every_alert_fires_in_a_scenario(rules: list[dict[str, Any]]) -> None:
    tests = yaml.safe_load(RULE_TESTS.read_text())["tests"]
    fired = {
        name
        for test in tests
        for question in test["promql_expr_test"]
        for sample in question["exp_samples"]
        for name in re.findall('alertname="([^"]+)"', sample["labels"])
    }
    assert fired == {rule["alert"] for rule in rules}


def test_the_scenarios_feed_in_metrics_that_exist(exposed: dict[str, set[str]]) -> None:
    assert set(NAME.findall(RULE_TESTS.read_text())) <= set(exposed)


def test_the_jobs_are_those_that_the_rules_ask_for(
    rules: list[dict[str, Any]], dashboard: dict[str, Any]
) -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    assert {job["job_name"] for job in config["scrape_configs"]} == PARTS
    asked_for = re.findall(r'job=~?"([^"]+)"', " ".join(asked(rules, dashboard)))
    assert {name for names in asked_for for name in names.split("|")} == PARTS


def test_the_panels_have_what_grafana_needs_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    (variable,) = dashboard["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"


# ---------------------------------------------------------------------- with Prometheus's own tool


def promtool(
    *arguments: str | Path, folder: Path = FOLDER, given: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run promtool; without it the test is skipped, and in CI it fails."""
    program = shutil.which("promtool")
    if program is None:
        missing = "promtool is not installed (Debian: apt install prometheus)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", RULES), ("check", "config", "prometheus.yml"), ("test", "rules", RULE_TESTS)],
    ids=["check rules", "check config", "test rules"],
)
def test_prometheus_accepts_the_rules(arguments: tuple[str | Path, ...]) -> None:
    done = promtool(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_queries_of_the_dashboard(dashboard: dict[str, Any], tmp_path: Path) -> None:
    recorded = [
        {"record": f"question:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (_, expression) in enumerate(questions(dashboard))
    ]
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    done = promtool("check", "rules", file, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_well_named(exposition: str) -> None:
    """Promtool's linter of expositions: help texts, `_total`, base units."""
    done = promtool("check", "metrics", given=exposition)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
