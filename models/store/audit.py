"""The conservation audit: every accepted notification is accounted for.

Each check is one statement that streams the violations, so a million rows take no more memory than ten. Run
it in one read transaction, at any time: writers commit consistent states.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.tables import changes, deliveries, inboxes, reach

BATCH = 1_000  # rows fetched at once


@dataclass(frozen=True, slots=True)
class Violation:
    """A row that breaks an invariant."""

    check: str
    row: str


#: name of the check -> SQL that yields the violations, as one text column
CHECKS: dict[str, str] = {
    "a notification has one of its states, and its count of recipients is its audience's": """
        SELECT 'notification ' || id || ': state ' || state || ', reached ' || reached
               || ' of ' || recipients || ', at ' || position
        FROM notifier_notifications
        WHERE (state NOT IN {withdrawn}
               AND (state = 'dispatched')
                   <> (reached + suppressed + coalesce(erased, 0) = recipients
                       AND dispatched_at IS NOT NULL))
           OR (state IN {withdrawn}) <> (ended_at IS NOT NULL)
           OR (state IN ('scheduled', 'canceled') AND reached <> 0)
           OR position < reached + suppressed + coalesce(erased, 0)
           OR CASE WHEN state = 'dispatched' OR state IN {withdrawn} THEN audience IS NOT NULL
                   WHEN recipient IS NOT NULL THEN recipients <> 1 OR audience IS NOT NULL
                   WHEN {is_list} THEN recipients <> {list_length}
                   ELSE true END
    """,
    "it has as many deliveries as recipients it reached": """
        SELECT 'notification ' || n.id || ': reached ' || n.reached || ', deliveries ' || count(d.user_id)
               || ', purged ' || n.purged || ', erased ' || coalesce(n.erased_reached, 0)
        FROM notifier_notifications n LEFT JOIN notifier_deliveries d ON d.notification_id = n.id
        GROUP BY n.id, n.reached, n.purged, n.erased_reached
        HAVING count(d.user_id) + n.purged + coalesce(n.erased_reached, 0) <> n.reached
    """,
    "a recipient it passed over is owed it, unless it was withdrawn": """
        SELECT 'notification ' || n.id || ': at ' || n.position || ', reached ' || n.reached
               || ', owed ' || count(o.user_id)
        FROM notifier_notifications n LEFT JOIN notifier_owed o ON o.number = n.number
        GROUP BY n.id, n.position, n.reached, n.suppressed, n.erased, n.state
        HAVING CASE WHEN n.state IN {withdrawn} THEN 0
                    ELSE n.position - n.reached - n.suppressed - coalesce(n.erased, 0) END
               <> count(o.user_id)
    """,
    # With the checks above: recipients = deliveries kept or purged + switched off + erased + left.
    "who has switched it off has a row that says so, and no delivery": """
        SELECT 'notification ' || n.id || ': switched off ' || n.suppressed || ', rows ' || count(s.user_id)
               || ', of them delivered ' || count(d.user_id)
        FROM notifier_notifications n LEFT JOIN notifier_suppressed s ON s.notification_id = n.id
        LEFT JOIN notifier_deliveries d ON d.notification_id = n.id AND d.user_id = s.user_id
        GROUP BY n.id, n.suppressed, n.erased_suppressed
        HAVING count(s.user_id) + coalesce(n.erased_suppressed, 0) <> n.suppressed OR count(d.user_id) > 0
    """,
    # After a restore or a failover a log has several parts: each is complete from its base.
    "a log has every seq once, from what is kept to its head": """
        WITH histories AS (
            SELECT base, coalesce(lead(base) OVER (ORDER BY base), 9223372036854775807) AS until
            FROM (SELECT base FROM notifier_restores UNION SELECT 0) bases
        )
        SELECT 'inbox ' || user_id || ': head ' || seq || ', purged to ' || purged_seq
               || ', entries ' || entries || ', from ' || coalesce(first, 0) || ' to ' || coalesce(last, 0)
        FROM (
            SELECT i.user_id, i.seq, i.purged_seq, h.base, count(l.seq) AS entries,
                   count(DISTINCT l.seq) AS different, min(l.seq) AS first, max(l.seq) AS last,
                   max(max(l.seq)) OVER (PARTITION BY i.user_id) AS newest
            FROM notifier_inboxes i LEFT JOIN
                 (SELECT user_id, seq FROM notifier_deliveries
                  UNION ALL SELECT user_id, seq FROM notifier_changes) l
                 ON l.user_id = i.user_id AND l.seq > i.purged_seq
                 LEFT JOIN histories h ON l.seq > h.base AND l.seq <= h.until
            GROUP BY i.user_id, i.seq, i.purged_seq, h.base
        ) parts
        WHERE entries <> last - CASE WHEN purged_seq > base THEN purged_seq ELSE base END
           OR different <> entries OR coalesce(newest, purged_seq) <> seq
    """,
    "a channel's row has a delivery, and what its state says": """
        SELECT 'channel row ' || r.id || ': ' || r.channel || ', ' || r.state || ', attempts ' || r.attempts
        FROM notifier_reach r
        LEFT JOIN notifier_notifications n ON n.id = r.notification_id
        LEFT JOIN notifier_deliveries d ON d.notification_id = r.notification_id AND d.user_id = r.user_id
        WHERE (d.seq IS NULL AND coalesce(n.purged, 0) = 0)
           OR (r.state = 'sending') <> (r.deadline IS NOT NULL)
           OR (r.state = 'sent') <> (r.sent_at IS NOT NULL)
           OR (r.state IN ('sending', 'sent', 'failed', 'gone', 'refused', 'unknown') AND r.attempts = 0)
           OR (r.state = 'skipped' AND r.reason IS NULL)
    """,
    "every entry belongs to an inbox": """
        SELECT 'entry ' || l.user_id || ' ' || l.seq
        FROM (SELECT user_id, seq FROM notifier_deliveries
              UNION ALL SELECT user_id, seq FROM notifier_changes) l
        LEFT JOIN notifier_inboxes i ON i.user_id = l.user_id WHERE i.user_id IS NULL
    """,
    "an inbox's unread count is the count of its unread entries": """
        SELECT 'inbox ' || i.user_id || ': unread ' || i.unread || ', counted ' || count(d.seq)
        FROM notifier_inboxes i LEFT JOIN notifier_deliveries d
             ON d.user_id = i.user_id AND d.inbox AND d.read_at IS NULL AND d.hidden IS NULL
             AND (d.kept_unread OR d.seq > i.read_through)
        GROUP BY i.user_id, i.unread HAVING count(d.seq) <> i.unread
    """,
    "its newest entry says the same": """
        SELECT 'inbox ' || i.user_id || ': unread ' || i.unread || ', its newest entry says ' || l.unread
        FROM notifier_inboxes i JOIN
             (SELECT user_id, seq, unread FROM notifier_deliveries
              UNION ALL SELECT user_id, seq, unread FROM notifier_changes) l
             ON l.user_id = i.user_id AND l.seq = i.seq
        WHERE l.unread <> i.unread
    """,
    # What arrives adds itself, also where it moved on from. Marked unread: all of them count again; read one
    # by one: none of them does any more; archived: some may have been read before. A watermark is only kept
    # if it read some. Every other change leaves the count as it is.
    "an entry's own unread count follows from the one before it": """
        SELECT 'entry ' || user_id || ' ' || seq || ': unread ' || unread || ' after ' || before
        FROM (
            SELECT user_id, seq, unread, low, high,
                   coalesce(lag(unread) OVER (PARTITION BY user_id ORDER BY seq),
                            CASE WHEN seq = 1 THEN 0 END) AS before
            FROM (SELECT user_id, seq, unread, CASE WHEN inbox THEN 1 ELSE 0 END AS low,
                         CASE WHEN inbox THEN 1 ELSE 0 END AS high
                  FROM notifier_deliveries
                  UNION ALL
                  SELECT user_id, seq, unread,
                         CASE WHEN event IN ('inbox.unread', 'inbox.moved') THEN coalesce({ids}, {never})
                              WHEN event IN ('inbox.read', 'inbox.archived') THEN coalesce(-{ids}, -{never})
                              ELSE 0 END,
                         CASE WHEN event IN ('inbox.unread', 'inbox.moved') THEN {ids}
                              WHEN event = 'inbox.read' THEN coalesce(-{ids}, -1) ELSE 0 END
                  FROM notifier_changes) both_kinds
        ) chain
        WHERE before IS NOT NULL AND (unread < before + low OR unread > before + high)
    """,
    "an entry is snoozed until a time, and no other one is": """
        SELECT 'entry ' || user_id || ' ' || seq || ': hidden ' || coalesce(hidden, '-')
        FROM notifier_deliveries WHERE (coalesce(hidden, '') = 'snoozed') <> (until IS NOT NULL)
    """,
    "of one user's entries with the same sender and collapse key one is left": """
        SELECT 'user ' || user_id || ': ' || count(*) || ' entries with the key ' || collapse
        FROM notifier_deliveries WHERE collapse IS NOT NULL GROUP BY user_id, collapse HAVING count(*) > 1
    """,
    "a badge shows what its newest event set": """
        SELECT 'badge ' || b.user_id || ' ' || b.type || ': ' || b.count || ' by seq ' || b.seq
        FROM notifier_badges b LEFT JOIN notifier_deliveries d ON d.user_id = b.user_id AND d.seq = b.seq
        LEFT JOIN notifier_notifications n ON n.id = d.notification_id
        LEFT JOIN notifier_inboxes i ON i.user_id = b.user_id
        WHERE (n.id IS NULL AND b.seq > coalesce(i.purged_seq, 0))
           OR (n.id IS NOT NULL
               AND (n.event <> 'badge' OR {badge_type} <> b.type OR {badge_count} <> b.count))
    """,
    "no badge event is newer than its badge": """
        SELECT 'badge ' || d.user_id || ' ' || {badge_type} || ': seq ' || coalesce(b.seq, 0)
               || ', newer is ' || d.seq
        FROM notifier_notifications n JOIN notifier_deliveries d ON d.notification_id = n.id
        LEFT JOIN notifier_badges b ON b.user_id = d.user_id AND b.type = {badge_type}
        WHERE n.event = 'badge' AND (b.seq IS NULL OR b.seq < d.seq)
    """,
}


def violations(connection: Connection) -> Iterator[Violation]:
    """Yield every violation, check by check."""
    postgres = connection.dialect.name == "postgresql"
    words = {
        "withdrawn": "('canceled', 'retracted', 'expired')",
        "never": "1000000000",  # a change of the count that no change of state makes
        "is_list": "jsonb_typeof(audience) = 'array'" if postgres else "json_type(audience) = 'array'",
        "list_length": "jsonb_array_length(audience)" if postgres else "json_array_length(audience)",
        # Any content: the audit reports it, and must not fail on it.
        "ids": "CASE jsonb_typeof(data -> 'ids') WHEN 'array' THEN jsonb_array_length(data -> 'ids') END"
        if postgres
        else "json_array_length(data, '$.ids')",
        "badge_type": "coalesce(n.data ->> 'type', '')"
        if postgres
        else "coalesce(json_extract(n.data, '$.type'), '')",
        "badge_count": "coalesce(CASE jsonb_typeof(n.data -> 'count') WHEN 'number'"
        " THEN (n.data ->> 'count')::numeric END, -1)"
        if postgres
        else "coalesce(json_extract(n.data, '$.count'), -1)",
    }
    for check, sql in CHECKS.items():
        found = connection.execution_options(yield_per=BATCH).execute(sa.text(sql.format(**words)))
        for (row,) in found:
            yield Violation(check, row)


def totals(connection: Connection) -> dict[str, int]:
    """Return the counts of the audit's summary."""
    states = connection.execute(
        sa.text(
            "SELECT state, count(*), sum(recipients), sum(reached), sum(suppressed),"
            " sum(coalesce(erased, 0) + coalesce(erased_reached, 0) + coalesce(erased_suppressed, 0))"
            " FROM notifier_notifications GROUP BY state"
        )
    ).all()
    by_state = {state: count for state, count, *_ in states}
    counted = {
        name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        for name, table in (
            ("deliveries", deliveries),
            ("changes", changes),
            ("inboxes", inboxes),
            ("channel_rows", reach),
        )
    }
    return {
        "accepted": sum(by_state.values()),
        "dispatched": by_state.get("dispatched", 0),
        "waiting": by_state.get("accepted", 0),
        "dead": by_state.get("dead", 0),
        **{state: by_state.get(state, 0) for state in ("scheduled", "canceled", "retracted", "expired")},
        "recipients": int(sum(row[2] for row in states)),
        "reached": int(sum(row[3] for row in states)),
        "suppressed": int(sum(row[4] for row in states)),
        "erased": int(sum(row[5] for row in states)),
        **counted,
    }
