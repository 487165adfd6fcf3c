"""Query plans: which indexes a piece of work uses, and that it neither scans a table nor sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from notifier.outbox.engine import Database

SCANNED = {
    f"notifier_{name}"
    for name in [
        "deliveries",
        "changes",
        "notifications",
        "inboxes",
        "devices",
        "badges",
        "read_marks",
        "sockets",
        "reach",
        "addresses",
        "recipients",
    ]
}


@dataclass(frozen=True)
class Plan:
    """The plan of a statement."""

    statement: str
    scans: frozenset[str]  # tables read from end to end
    indexes: frozenset[str]
    sorts: bool


def plans(database: Database, work: Callable[[Connection], object]) -> list[Plan]:
    """Run work, roll it back, and return the plan of each statement that read or changed rows."""
    seen: list[tuple[str, Any]] = []

    def listen(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            seen.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    with database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL random_page_cost = 1.1")  # as for an SSD
        sa.event.listen(database.engine, "before_cursor_execute", listen)
        try:
            work(connection)
        finally:
            sa.event.remove(database.engine, "before_cursor_execute", listen)
        explain = _postgres_plan if connection.dialect.name == "postgresql" else _sqlite_plan
        found = [explain(connection, statement, parameters) for statement, parameters in seen]
        connection.rollback()
    assert found, "nothing was asked"
    return found


def _postgres_plan(connection: Connection, statement: str, parameters: Any) -> Plan:
    (answer,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).one()
    nodes, sorts, waiting = [], False, [(answer[0]["Plan"], "")]
    while waiting:
        node, parent = waiting.pop()
        nodes.append(node)
        # Rows to be changed are locked in order; there are no more of them than are changed.
        sorts = sorts or ("Sort" in node["Node Type"] and parent != "LockRows")
        waiting += [(below, node["Node Type"]) for below in node.get("Plans", [])]
    return Plan(
        statement,
        frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
        frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        sorts,
    )


def _sqlite_plan(connection: Connection, statement: str, parameters: Any) -> Plan:
    """See https://www.sqlite.org/eqp.html; an index without a name is a primary key or a constraint."""
    details = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    words = [detail.split() for detail in details]
    return Plan(
        statement,
        frozenset(line[1] for line in words if line[0] == "SCAN" and "INDEX" not in line),
        frozenset(line[line.index("INDEX") + 1] for line in words if "INDEX" in line),
        any("TEMP B-TREE" in detail for detail in details),
    )


#: Names that SQLite gives the indexes of primary keys and unique constraints, in the order of the table.
SQLITE_NAMES = {
    "notifier_deliveries_pkey": "sqlite_autoindex_notifier_deliveries_1",
    "notifier_deliveries_notification_id_user_id_key": "sqlite_autoindex_notifier_deliveries_2",
    "notifier_changes_pkey": "sqlite_autoindex_notifier_changes_1",
    "notifier_inboxes_pkey": "sqlite_autoindex_notifier_inboxes_1",
    "notifier_notifications_id_key": "sqlite_autoindex_notifier_notifications_1",
    "notifier_sockets_pkey": "sqlite_autoindex_notifier_sockets_1",
}


def assert_indexed(
    database: Database, work: Callable[[Connection], object], *indexes: str, besides: str | None = None
) -> None:
    """Check that the work uses these indexes, without scans and sorts; not its statements about `besides`."""
    found = [plan for plan in plans(database, work) if besides is None or besides not in plan.statement]
    used = {index for plan in found for index in plan.indexes}
    for plan in found:
        assert not plan.scans & SCANNED, f"scans {set(plan.scans)}: {plan.statement}"
        assert not plan.sorts, f"sorts: {plan.statement}"
    sqlite = database.engine.dialect.name == "sqlite"
    for index in indexes:
        name = SQLITE_NAMES.get(index, index) if sqlite else index
        assert name in used, f"{name} is not used, but {used}"
