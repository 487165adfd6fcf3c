"""Which deliveries a reader is shown: conditions on `hidden`, and on the state of the notification's row."""

import sqlalchemy as sa

from models.tables import deliveries, notifications
from notifier.core.log import WITHDRAWN, Why

d, n = deliveries.c, notifications.c

#: It is in the inbox or its archive.
VISIBLE = d.hidden.is_(None)
#: It is snoozed. In the statement's text, in the words of the indexes' conditions.
SNOOZED = d.hidden == sa.literal_column(f"'{Why.SNOOZED}'")
#: Its removal, if there was one, can still be written into the user's log: once for each entry.
REMOVABLE = sa.or_(VISIBLE, SNOOZED)

_WITHDRAWN = sorted(WITHDRAWN)
#: The notification is not withdrawn. A condition that the planner has statistics of, unlike GONE.
STANDING = n.state.not_in(_WITHDRAWN)
#: Why nobody is given it any more; NULL: it is given. The notification's row decides, and is joined; a user's
#: own row says it too, once the log does.
GONE: sa.ColumnElement[str | None] = sa.case(
    (d.hidden.in_(_WITHDRAWN), d.hidden), (n.state.in_(_WITHDRAWN), n.state), else_=sa.null()
)


def unestimated(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return the conditions together, as one of which PostgreSQL's planner makes no estimate.

    For rows that are named by a key. Without statistics (a new or restored database) it takes one row in 200
    for NULL, so it expects no row of two such columns, and reads the whole table once for each named row.
    """
    return sa.case((sa.and_(*conditions), sa.true()), else_=sa.false())
