"""Send several notifications together, stop one, or change what it says."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session, scoped_session

from notifier.core.batch import drafts
from notifier.core.draft import MAX_BATCH, Draft, check_id
from notifier.core.errors import InvalidInput, NotFound
from notifier.core.events import event_of
from notifier.core.keys import SYSTEM
from notifier.core.life import FIELDS
from notifier.outbox.accept import Accepted
from notifier.outbox.withdraw import Updated, Withdrawn
from notifier.send import sent

_ITEM = {"user_id", "user_ids", "event", "data", "id", "idempotency_key", *FIELDS}


def cancel_notification(id: str, *, session: "Session | scoped_session[Any] | None" = None) -> Withdrawn:
    """Cancel a notification that waits, or retract it from the inboxes that have it.

    Args:
        id: which.
        session: a SQLAlchemy session on the same database: join its transaction.

    Returns:
        `status`: `canceled` (nobody ever sees it) or `retracted` (it had reached somebody), `recipients`,
        `reached` and `in_flight`. A second call says the same. From now on nothing shows it; a worker
        tells the clients.

    Raises:
        NotFound: there is no such notification.
        Conflict: it has expired.
        DatabaseUnavailable, WrongDatabase: as `send_notification`.
    """
    return sent(None, session, lambda sends: sends.cancel(_known(id), session=session))


def update_notification(
    id: str,
    data: BaseModel | Mapping[str, Any],
    *,
    version: int | None = None,
    session: "Session | scoped_session[Any] | None" = None,
) -> Updated:
    """Update a notification's data, also in inboxes that have it; states and counts stay.

    Args:
        id: which.
        data: all of its new data, by the rules of its event.
        version: the version that the caller knows; None: whichever it is.
        session: a SQLAlchemy session on the same database: join its transaction.

    Returns:
        Its id and `version`, which counts from 1.

    Raises:
        InvalidInput: a rule of its event is broken, or it is not an inbox entry.
        NotFound: there is no such notification.
        Conflict: it is canceled, retracted or expired, or its version is another one.
        DatabaseUnavailable, WrongDatabase: as `send_notification`.
    """
    known = _known(id)
    return sent(None, session, lambda sends: sends.update(known, data, version=version, session=session))


def send_all(
    notifications: Sequence[Mapping[str, Any]],
    *,
    sender: str = SYSTEM,
    session: "Session | scoped_session[Any] | None" = None,
) -> list[str]:
    """Send 1 to 1,000 notifications in one transaction: all of them, or none.

    Args:
        notifications: each has `user_id` or `user_ids`, `data`, and what else `send_notification` takes:
            `event`, `id`, `idempotency_key`, `category`, `deliver_at`, `expires_at`, `expires_in`,
            `collapse_key`.
        sender: who sends them.
        session: a SQLAlchemy session on the same database: join its transaction.

    Returns:
        Their ids, in order.

    Raises:
        InvalidInput: a rule is broken; each problem's `loc` begins with the notification's index.
        IdempotencyMismatch: likewise, a key or id was used before, with another body.
        DatabaseUnavailable, WrongDatabase: as `send_notification`.
    """
    if not 1 <= len(notifications) <= MAX_BATCH:
        problem = f"must have 1 to {MAX_BATCH} entries, has {len(notifications)}"
        raise InvalidInput(problems=[{"loc": [], "msg": problem}])
    asked = [_asked(place, given) for place, given in enumerate(notifications)]
    made = [_kept(place, one) for place, one in enumerate(drafts(asked, sender=sender))]
    answers = sent(None, session, lambda sends: sends.send_batch(made, session=session, whole=True))
    return [answer.id for answer in answers if isinstance(answer, Accepted)]


def _asked(place: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of them as `draft` takes it. Raises InvalidInput."""
    unknown = [str(name) for name in given if name not in _ITEM]
    if unknown:
        problems = InvalidInput(problems=[{"loc": [name], "msg": "unknown field"} for name in unknown])
        raise problems.at(place)
    asked = dict(given)
    data, asked["key"] = asked.get("data"), asked.pop("idempotency_key", None)
    if asked.get("event") is None:
        try:
            asked["event"] = event_of(data).name if isinstance(data, BaseModel) else "alert"
        except InvalidInput as exc:
            raise exc.at(place) from None
    return asked


def _kept(place: int, made: Draft | InvalidInput) -> Draft:
    if isinstance(made, InvalidInput):
        raise made.at(place) from None
    return made


def _known(id: str) -> str:
    try:
        return check_id(id)
    except InvalidInput:
        raise NotFound("there is no such notification") from None
