"""Fan out: put notifications into the inboxes of their recipients, and note how far they got."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store import owed, reach_plan, special, switched_off
from models.store.advance import advance
from models.store.deliver import Work, deliver
from models.store.switched_off import NOTHING, Decided
from models.tables import DISPATCHED, notifications
from notifier.core.categories import Category, category
from notifier.core.log import Entry
from notifier.outbox.dialect import Rows
from notifier.outbox.types import AnyRow, UtcDateTime, not_before

n = notifications.c


class Corrupt(Exception):
    """A row that cannot be dispatched: its audience is not what it says."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What one transaction put into inboxes, to be published once it is committed.

    Attributes:
        ids: the notifications it worked on.
        finished: those of them that have reached every recipient now.
        entries: (user id, entry), each user's in the order of their seqs.
        more: whether it left something behind: waiting notifications, or recipients of a bulk one.
        busy: users who were passed over: their inbox was locked, or something earlier is owed to them.
        expired: notifications whose time was over: nobody is given them.
        reach_due: whether a row of a channel is due at once.
    """

    ids: Sequence[str] = ()
    finished: Sequence[str] = ()
    entries: Sequence[tuple[str, Entry]] = ()
    more: bool = False
    busy: Collection[str] = frozenset()
    reach_due: bool = False
    expired: Sequence[str] = ()


_FINISHED = Rows("finished", number=sa.BigInteger)


#: When the wake-up was sent; for a bulk notification, the first one.
_WOKEN = sa.func.coalesce(
    n.woken_at, not_before(n.accepted_at, sa.bindparam("woken", type_=UtcDateTime)), type_=UtcDateTime
)


@cache
def _finish(dialect: str) -> sa.Update:
    done = _FINISHED.table(dialect)
    return (
        sa.update(notifications)
        .where(n.number == done.c.number)
        .values(
            state=DISPATCHED,
            audience=None,  # its deliveries say who got it
            position=n.recipients,
            reached=n.recipients - n.suppressed - sa.func.coalesce(n.erased, 0),
            woken_at=_WOKEN,
            dispatched_at=not_before(n.accepted_at, sa.bindparam("present", type_=UtcDateTime)),
            error=None,
            next_attempt_at=None,
        )
    )


_GO_ON = (
    sa.update(notifications)
    .where(n.number == sa.bindparam("its_number"))
    .values(
        position=n.position + sa.bindparam("tried"),
        reached=n.reached + sa.bindparam("given"),
        woken_at=_WOKEN,
        attempts=0,
        next_attempt_at=None,
    )
)
_PASS_ERASED = (
    sa.update(notifications)
    .where(n.number == sa.bindparam("its_number"))
    .values(erased=sa.func.coalesce(n.erased, 0) + sa.bindparam("more"))
)


def audience_of(row: AnyRow) -> Sequence[str | None]:
    """Return the recipients of a waiting notification's row; None: the place of an erased user.

    Raises Corrupt.
    """
    audience = row.audience if row.recipient is None else [row.recipient]
    if (
        not isinstance(audience, list)
        or len(audience) != row.recipients
        or not all(user is None or isinstance(user, str) for user in audience)
    ):
        raise Corrupt(f"the audience is not a list of {row.recipients} user ids")
    return audience


def fan_out(
    connection: Connection,
    work: Sequence[tuple[AnyRow, Sequence[str | None]]],
    *,
    now: datetime,
    woken_at: datetime | None,
    busy: Collection[str] = (),
    careful: bool = False,
    was_owed: bool = False,
    zone: str = "UTC",
) -> Dispatched:
    """Put each notification (its row, locked) into the inboxes of these users.

    Those who are busy or whose inbox is locked are passed over: one to a single user stays as it is, one to
    several is owed to them.

    Args:
        connection: a writing transaction.
        work: in the order of acceptance.
        now: the present.
        woken_at: when the wake-up was sent that asked for it; None: there was none.
        busy: users to pass over.
        careful: pass over those whose inbox is locked too; else it is an error (see `advance`).
        was_owed: these users were passed over before, and the notification is owed to them.
        zone: of the quiet hours of people who have none.
    """
    if not work:
        return Dispatched()
    present = [(row, [user for user in users if user is not None]) for row, users in work]
    decided = switched_off.decide(connection, present, now=now, zone=zone)
    asked = [
        replace(_wanted(row, users, decided.get(row.number, NOTHING)), erased=len(places) - len(users))
        for (row, users), (_, places) in zip(present, work, strict=True)
    ]
    heads = _advance(connection, asked, busy, now=now, careful=careful, was_owed=was_owed)
    split = [replace(one, given=[user for user in one.users if user in heads]) for one in asked]
    passed = {user for one in split for user in one.users if user not in heads}
    begun = [one for one in split if one.given or one.decided.off or one.row.recipients > 1]
    entries = deliver(connection, begun, heads, now)
    if quiet := {one.row.id: one.decided.quiet for one in begun if one.decided.quiet}:
        entries = switched_off.hush(connection, entries, quiet)
    finished = [one for one in begun if _done(one) == one.row.recipients]
    _note(connection, begun, finished, now=now, woken_at=woken_at, was_owed=was_owed)
    due = reach_plan.plan(connection, _reaching(begun))
    return Dispatched(
        ids=[one.row.id for one in begun],
        finished=[one.row.id for one in finished],
        entries=entries,
        more=any(one.row.position + one.tried < one.row.recipients for one in begun) and not was_owed,
        busy=passed,
        reach_due=due,
    )


def _wanted(row: AnyRow, users: Sequence[str], decided: Decided) -> Work:
    return Work(row, [user for user in users if user not in decided.off], (), decided)


def _done(one: Work) -> int:
    """Return how many recipients a notification is done with after this."""
    before: int = one.row.reached + getattr(one.row, "suppressed", 0) + (getattr(one.row, "erased", 0) or 0)
    return before + len(one.given) + len(one.decided.off) + one.erased


def _reaching(work: Iterable[Work]) -> list[tuple[str, Category, Sequence[str]]]:
    """Return (notification, its category, who got it now) of entries whose category has channels."""
    found = []
    for one in work:
        if one.row.inbox:
            kind = category(special.options(one.row).category)
            if kind is not None and kind.reach:
                found.append((one.row.id, kind, one.given))
    return found


def _advance(
    connection: Connection,
    work: Iterable[Work],
    busy: Collection[str],
    *,
    now: datetime,
    careful: bool,
    was_owed: bool,
) -> dict[str, list[int]]:
    """Take the seqs that `work` needs; return [seq, unread] of each free inbox before it."""
    seqs: Counter[str] = Counter()
    unread: Counter[str] = Counter()
    for one in work:
        for user in one.users:
            if user not in busy:
                seqs[user] += 1
                unread[user] += one.row.inbox
    if not seqs:
        return {}
    wanted = {user: (seqs[user], unread[user]) for user in seqs}
    return advance(connection, wanted, now=now, careful=careful, was_owed=was_owed)


def _note(
    connection: Connection,
    work: Sequence[Work],
    finished: Sequence[Work],
    *,
    now: datetime,
    woken_at: datetime | None,
    was_owed: bool,
) -> None:
    """Note how far each notification got, and who is passed over."""
    switched_off.keep(connection, work, now=now)
    if passed := [{"its_number": one.row.number, "more": one.erased} for one in work if one.erased]:
        connection.execute(_PASS_ERASED, passed)
    if finished:
        numbers = [{"number": number} for number in sorted(one.row.number for one in finished)]
        connection.execute(
            _finish(connection.dialect.name),
            {**_FINISHED.parameters(connection, numbers), "woken": woken_at, "present": now},
        )
    done = {one.row.number for one in finished}
    for one in work:
        if was_owed and (one.given or one.decided.off):
            owed.remove(connection, one.row.number, [*one.given, *one.decided.off])
        elif len(one.given) < len(one.users) and not was_owed:
            given = set(one.given)
            owed.add(connection, one.row.number, [user for user in one.users if user not in given])
        if one.row.number not in done:
            tried = 0 if was_owed else one.tried
            connection.execute(
                _GO_ON,
                {
                    "its_number": one.row.number,
                    "tried": tried,
                    "given": len(one.given),
                    "woken": woken_at,
                },
            )
