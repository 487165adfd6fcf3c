"""What an erasure does with every column of every table: the rules as data.

A table or a column without a rule fails `tests/integration/test_erasure.py`. `OWNER` also says which
rows an export has.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Rule(StrEnum):
    """What an erasure does with the values of a column."""

    OWNER = "a row's user: the row is deleted"
    RECIPIENT = "the only recipient: the row is deleted"
    PLACE = "a list of recipients: the user's place becomes null"
    ERROR = "an error's text: cleared where it has the id"
    CONTENT = "a message of the broker: the row is deleted where it has the id"
    COUNT = "a count of the erased"
    HASH = "the hash of an erased id, which stays"
    SENDERS = "free text or names of senders: excepted"
    OTHER = "it cannot hold a user's id, or its row is deleted by another column's rule"


def _rules(others: str, **rules: Rule) -> dict[str, Rule]:
    return {**rules, **dict.fromkeys(others.split(), Rule.OTHER)}


_OWNER: Final = {"user_id": Rule.OWNER}

#: table -> column -> rule
RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "notifier_addresses": _rules(
        "id channel address details created_at succeeded_at off_at off_reason doubts doubted_on", **_OWNER
    ),
    "notifier_badges": _rules("type count seq", **_OWNER),
    "notifier_changes": _rules("seq event data unread at", **_OWNER),
    "notifier_deliveries": _rules(
        "seq notification_id inbox unread persisted_at delivered_at read_at archived_at kept_unread acked_by"
        " version hidden until returned_at collapse collapsed quiet",
        **_OWNER,
    ),
    "notifier_devices": _rules(
        "device acked_seq window_from log_from sent_seq socket user_agent first_seen_at last_seen_at",
        **_OWNER,
    ),
    "notifier_ended_sessions": _rules("session until"),
    "notifier_erasures": _rules("erased_at base finished", user_hash=Rule.HASH),
    "notifier_gateways": _rules("id started_at seen_at stopped_at"),
    "notifier_inboxes": _rules("seq unread read_through purged_seq seen", **_OWNER),
    "notifier_installation": _rules("id"),
    "notifier_notifications": _rules(
        "number id inbox recipients bulk position reached request_hash state attempts next_attempt_at"
        " accepted_at dispatched_at purged purged_delivered purged_read woken_at published_at category"
        " deliver_at scheduled_at expires_at version ended_at untold suppressed",
        event=Rule.SENDERS,
        data=Rule.SENDERS,
        sender=Rule.SENDERS,
        idempotency_key=Rule.SENDERS,
        collapse_key=Rule.SENDERS,
        recipient=Rule.RECIPIENT,
        audience=Rule.PLACE,
        error=Rule.ERROR,
        erased=Rule.COUNT,
        erased_reached=Rule.COUNT,
        erased_suppressed=Rule.COUNT,
    ),
    "notifier_owed": _rules("number", **_OWNER),
    "notifier_reach": _rules(
        "id notification_id channel address_id category state reason required unless digest due_at next_at"
        " deadline attempts sent_at provider_id",
        **_OWNER,
    ),
    "notifier_read_marks": _rules("through at", **_OWNER),
    "notifier_recipients": _rules("name locale timezone preferences updated_at", **_OWNER),
    "notifier_rejected_messages": _rules(
        "id rejected_at reason task content_type bytes", headers=Rule.CONTENT, body=Rule.CONTENT
    ),
    "notifier_report_days": _rules("day version"),
    "notifier_report_history": _rules(
        "day delivered ms deliveries reads", event=Rule.SENDERS, type=Rule.SENDERS
    ),
    "notifier_report_marks": _rules("id day"),
    "notifier_report_sums": _rules(
        "day sent delivered read p50_ms p95_ms", event=Rule.SENDERS, type=Rule.SENDERS
    ),
    "notifier_restores": _rules("base restored_at wal_timeline"),
    "notifier_revocations": _rules("revoked_at", **_OWNER),
    "notifier_sockets": _rules(
        "id device gateway opened_at after head window_from closed_at code sent_seq", **_OWNER
    ),
    "notifier_suppressed": _rules("notification_id since at", **_OWNER),
}

#: The tables whose rows are a user's.
OWNED: Final = tuple(name for name, rules in RULES.items() if Rule.OWNER in rules.values())
