"""The dashboard's table of alert rules is that of monitoring/alerts.yml, and says what the figures say."""

from __future__ import annotations

import re

import yaml

from tests.harness.processes import REPO
from web.dashboard.alert_rules import ONLY_PROMETHEUS, RULES, verdicts

FILE = yaml.safe_load((REPO / "monitoring" / "alerts.yml").read_text())
EXPRESSIONS = {rule["alert"]: rule["expr"] for group in FILE["groups"] for rule in group["rules"]}

WELL = """
notifier_database_up 1
notifier_database_state{state="full"} 0
notifier_broker_up 1
notifier_broker_state{state="blocked"} 0
notifier_broker_state{state="no permission"} 0
notifier_waiting_age_seconds 30
notifier_dead 0
notifier_channel_late_seconds 0
notifier_channel_failed 0
"""


def firing(exposition: str) -> set[str]:
    return {one.rule for one in verdicts(exposition) if one.firing}


def test_it_has_every_rule_of_the_file_once() -> None:
    names = [*(rule.name for rule in RULES), *ONLY_PROMETHEUS]
    assert sorted(names) == sorted(EXPRESSIONS)


def test_metric_states_and_limit_are_those_of_the_file() -> None:
    for rule in RULES:
        expression = EXPRESSIONS[rule.name]
        assert rule.metric in expression
        assert re.search(rf"{'==' if rule.exact else '>'} {rule.limit:g}\b", expression), rule.name
        assert set(rule.states) == set(
            (re.search(r'state=~"([^"]+)"', expression.partition(" unless ")[0]) or ["", ""])[1].split("|")
        ) - {""}


def test_when_all_is_well_nothing_fires() -> None:
    assert firing(WELL) == set()
    assert [one.firing for one in verdicts(WELL)].count(None) == len(ONLY_PROMETHEUS)


def test_each_fires_by_its_own_figure_and_comes_first() -> None:
    for metric, value, rule in (
        ("notifier_dead", 3, "NotifierDead"),
        ("notifier_waiting_age_seconds", 30.5, "NotifierWaitingTooOld"),
        ("notifier_channel_late_seconds", 121, "NotifierChannelLate"),
        ("notifier_channel_failed", 1, "NotifierChannelFailed"),
        ("notifier_broker_up", 0, "NotifierBrokerDown"),
        ("notifier_database_up", 0, "NotifierDatabaseDown"),
        ('notifier_database_state{state="full"}', 1, "NotifierDatabaseRefuses"),
    ):
        bad = re.sub(rf"^{re.escape(metric)} .*$", f"{metric} {value}", WELL, flags=re.MULTILINE)
        assert firing(bad) == {rule}
        assert verdicts(bad)[0].rule == rule


def test_a_blocked_broker_is_not_also_down() -> None:
    bad = WELL.replace("broker_up 1", "broker_up 0").replace('{state="blocked"} 0', '{state="blocked"} 1')
    assert firing(bad) == {"NotifierBrokerBlocked"}
