"""Read a page of a user's inbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.store import log
from notifier.core.log import Item, Status
from notifier.outbox.engine import Connection, Database
from usecases import failover


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of the inbox, as of one moment.

    Attributes:
        items: newest first.
        next: the next page's `before`; None: this is the last one.
        seq: the log's head.
        unread: the exact count.
        badges: the present count of each badge that was ever set.
    """

    items: Sequence[Item]
    next: int | None
    seq: int
    unread: int
    badges: Mapping[str, int]


def inbox_page(
    database: Database, user_id: str, status: Status, *, limit: int, before: int | None = None
) -> InboxPage:
    """Return up to `limit` entries of a user's inbox that are in a state, below the seq `before`.

    Raises DatabaseUnavailable.
    """

    def look(connection: Connection) -> InboxPage:
        items, head = log.page(connection, user_id, status, limit + 1, before)
        page = items[:limit]
        return InboxPage(
            items=page,
            next=page[-1].seq if len(items) > limit else None,
            seq=log.head_of(connection, head),
            unread=head.unread if head else 0,
            badges=log.badge_counts(connection, user_id),
        )

    return failover.read(database, look)
