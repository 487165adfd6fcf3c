"""A timeline in the API's form; times are milliseconds since 1970 UTC."""

from datetime import datetime
from typing import Any

from notifier.core import reach_words
from notifier.core.timeline import Copy, Timeline, delivered_at, steps


def as_json(timeline: Timeline, now: datetime, why: str) -> dict[str, Any]:
    """Return it with the sentence that explains it."""
    copy = timeline.copy
    return {
        "id": timeline.id,
        "user_id": timeline.user_id,
        "event": timeline.event,
        "status": timeline.status,
        "summary": why,
        "recipients": timeline.recipients,
        "delivered": timeline.delivered,
        "read": timeline.read,
        "suppressed": timeline.suppressed,
        "steps": [{"step": s.name, "at": _ms(s.at), "detail": s.detail} for s in steps(timeline, now)],
        "sockets": [
            {
                "socket": one.id,
                "device": one.device,
                "gateway": one.gateway,
                "opened_at": _ms(one.opened_at),
                "closed_at": _ms(one.end),
                "code": one.code,
                "lost": one.lost(now),
                "sent": True if copy and copy.acked_by == one.id else one.sent(copy.seq) if copy else None,
                "acked": copy is not None and copy.acked_by == one.id,
            }
            for one in timeline.sockets
        ],
        "channels": reach_words.as_json(timeline.reached_by),
    }


def copy_json(copy: Copy) -> dict[str, Any]:
    """Return one recipient's copy in the API's form."""
    return {
        "user_id": copy.user_id,
        "seq": copy.seq,
        "persisted_at": _ms(copy.persisted_at),
        "delivered_at": _ms(delivered_at(copy)),
        "read_at": _ms(copy.read_at),
    }


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
