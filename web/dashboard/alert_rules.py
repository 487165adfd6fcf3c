"""Evaluate the alert rules of monitoring/alerts.yml now, with the figures that `/metrics` shows.

A rule over minutes (`increase`, `rate`, `offset`), or over the workers, needs Prometheus: only its
name is shown. A test compares this table with the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

DATABASE_FAULTS = ("full", "read-only", "no permission", "timeout")
BLOCKED = ("blocked", "disk full")
UNKNOWN = "\N{EN DASH}"
REFUSED = ("no permission", "other arguments")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule on one metric: it fires when its largest value is over `limit`, or is it when `exact`."""

    name: str
    metric: str
    limit: float
    exact: bool = False
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a rule now; `firing` is None when only Prometheus can know."""

    rule: str
    condition: str
    now: str
    firing: bool | None


RULES = (
    Rule("NotifierDatabaseDown", "notifier_database_up", 0, exact=True),
    Rule("NotifierDatabaseRefuses", "notifier_database_state", 1, exact=True, states=DATABASE_FAULTS),
    Rule("NotifierBrokerDown", "notifier_broker_up", 0, exact=True),
    Rule("NotifierBrokerBlocked", "notifier_broker_state", 1, exact=True, states=BLOCKED),
    Rule("NotifierBrokerRefuses", "notifier_broker_state", 1, exact=True, states=REFUSED),
    Rule("NotifierWaitingTooOld", "notifier_waiting_age_seconds", 30),
    Rule("NotifierDead", "notifier_dead", 0),
    Rule("NotifierChannelLate", "notifier_channel_late_seconds", 120),
    Rule("NotifierChannelFailed", "notifier_channel_failed", 0),
)
#: Rules that need the history that Prometheus keeps, or the metrics of the workers.
ONLY_PROMETHEUS = (
    "NotifierWebDown", "NotifierWorkerDown", "NotifierDatabaseErrors", "NotifierBrokerUnbound",
    "NotifierBrokerErrors", "NotifierUnpublished", "NotifierRetries", "NotifierChannelPaused",
    "NotifierSlowDispatch", "NotifierManyRepairs", "NotifierManyResets", "NotifierSlowReaders",
    "NotifierSocketsDropped", "NotifierErasureUnfinished",
)  # fmt: skip


def verdicts(exposition: str) -> Sequence[Verdict]:
    """Return the verdict of each rule: firing ones first, those that need Prometheus last.

    Args:
        exposition: the metrics as Prometheus's text.
    """
    samples = [
        (sample.name, sample.labels.get("state", ""), sample.value)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    ]
    known = [_verdict(rule, samples) for rule in RULES]
    broken = {one.rule for one in known if one.firing} & {"NotifierBrokerBlocked", "NotifierBrokerRefuses"}
    known = [
        # As the rule's `unless`: these two say more about the same fault.
        Verdict(one.rule, one.condition, one.now, firing=False)
        if one.rule == "NotifierBrokerDown" and broken
        else one
        for one in known
    ]
    others = [Verdict(name, "over minutes, or of the workers", UNKNOWN, None) for name in ONLY_PROMETHEUS]
    return [*sorted(known, key=lambda one: not one.firing), *others]


def _verdict(rule: Rule, samples: Sequence[tuple[str, str, float]]) -> Verdict:
    found = [
        (value, state)
        for name, state, value in samples
        if name == rule.metric and (not rule.states or state in rule.states)
    ]
    sign = "=" if rule.exact else ">"
    condition = f"{rule.metric} {sign} {rule.limit:g}"
    if rule.states:
        condition = f"{rule.metric}: {', '.join(rule.states)}"
    if not found:
        return Verdict(rule.name, condition, UNKNOWN, None)
    value, state = min(found) if rule.exact and not rule.states else max(found)
    firing = value == rule.limit if rule.exact else value > rule.limit
    now = (state if firing else "none of them") if rule.states else f"{value:,.0f}".replace(",", "\u202f")
    return Verdict(rule.name, condition, now, firing)
