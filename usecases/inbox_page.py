"""Read a page of a user's inbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.store import inbox_heads, pages
from models.store.seen import unseen_of
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
        seen: what was on the screen, up to this seq.
        unseen: the unread entries beyond it, 100 at most.
    """

    items: Sequence[Item]
    next: int | None
    seq: int
    unread: int
    badges: Mapping[str, int]
    seen: int
    unseen: int


def inbox_page(
    database: Database, user_id: str, status: Status, *, limit: int, before: int | None = None
) -> InboxPage:
    """Return up to `limit` entries of a user's inbox that are in a state, below the seq `before`.

    Raises DatabaseUnavailable.
    """

    def look(connection: Connection) -> InboxPage:
        items, head = pages.page(connection, user_id, status, limit + 1, before)
        page = items[:limit]
        return InboxPage(
            items=page,
            next=page[-1].seq if len(items) > limit else None,
            seq=inbox_heads.head_of(connection, head),
            unread=head.unread if head else 0,
            badges=inbox_heads.badge_counts(connection, user_id),
            seen=head.seen if head else 0,
            unseen=unseen_of(connection, [head])[user_id] if head else 0,
        )

    return failover.read(database, look)
