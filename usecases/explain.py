"""Explain what happened to a notification, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.store import timeline as store
from notifier.core import timeline_json
from notifier.core.diagnosis import summary
from notifier.core.errors import NotFound
from notifier.core.timeline import Copy, Timeline
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from usecases.notifications import known_id


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of a notification, or of one user's copy of it.

    Attributes:
        timeline: the facts.
        summary: the reason, in a few plain sentences.
        copies: a page of the recipients' copies; empty when it is about one user.
        next: the user id after which the next page begins; None: this is the last page.
        at: when it was read.
    """

    timeline: Timeline
    summary: str
    copies: Sequence[Copy]
    next: str | None
    at: datetime

    def json(self) -> dict[str, Any]:
        """Return it as the API and `notifier explain --json` write it."""
        told = timeline_json.as_json(self.timeline, self.at, self.summary)
        return told | {"items": [timeline_json.copy_json(copy) for copy in self.copies], "next": self.next}


def explain(
    database: Database,
    id: str,
    user_id: str | None,
    *,
    broker_answers: Callable[[], bool],
    limit: int,
    after: str | None = None,
) -> Explanation:
    """Explain a notification, or `user_id`'s copy of it.

    Args:
        database: the database.
        id: the notification's id.
        user_id: the recipient; None: all recipients.
        broker_answers: whether the broker can be reached; asked only while the notification waits.
        limit: copies of a page at most.
        after: the user id after which the page begins.

    Raises:
        NotFound: there is no such notification, or not for this user.
        DatabaseUnavailable: the database does not answer.
    """
    known, at = known_id(id), now()
    with database.read() as connection:
        found = store.timeline(connection, known, user_id, now=at)
        if found is None:
            raise NotFound(f"there is no notification {known}" + (" for this user" if user_id else ""))
        copies = () if found.user_id else store.copies(connection, known, limit=limit + 1, after=after)
    answers = broker_answers() if found.status == "accepted" else None
    page = copies[:limit]
    return Explanation(
        found,
        summary(found, at, answers),
        page,
        page[-1].user_id if page and len(copies) > limit else None,
        at,
    )
