"""Erased users, by the hash of the id: from when tokens are valid, and where a new log begins."""

import math
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models.store.log_base import CLOCK_IS_WRONG, microseconds
from models.tables import erasures, inboxes
from notifier.core.erasure import user_hash
from notifier.core.errors import Unauthenticated
from notifier.outbox import clock
from notifier.outbox.dialect import insert
from notifier.outbox.types import AnyRow

e, i = erasures.c, inboxes.c

LOOKED_AT = timedelta(days=90)  # as far back as unfinished erasures are counted: the index serves it

#: Whether anybody was ever erased: asked for in a statement that is made anyway.
ANYBODY = sa.exists(sa.select(sa.literal_column("1")).select_from(erasures))


def find(connection: Connection, user_id: str) -> AnyRow | None:
    """Return the row of an erased user; None: this user was never erased."""
    return connection.execute(sa.select(erasures).where(e.user_hash == user_hash(user_id))).first()


def note(connection: Connection, user_id: str, *, head: int, finished: bool, now: datetime) -> None:
    """Note that a user is erased now, whose log ends at `head`: tokens issued before `now` are refused."""
    base = microseconds(now)
    if base <= head:
        base = head + CLOCK_IS_WRONG[0]
    new = insert(connection, erasures).values(
        user_hash=user_hash(user_id), erased_at=now, base=base, finished=finished
    )
    later = sa.case((e.erased_at < new.excluded.erased_at, new.excluded.erased_at), else_=e.erased_at)
    beyond = sa.case((e.base < new.excluded.base, new.excluded.base), else_=e.base)
    values = {"erased_at": later, "base": beyond, "finished": new.excluded.finished}
    connection.execute(new.on_conflict_do_update(index_elements=["user_hash"], set_=values))


def unfinished(connection: Connection) -> int:
    """Return how many erasures were begun within 90 days and have something left."""
    begun = e.erased_at >= clock.present(connection) - LOOKED_AT
    return connection.scalar(sa.select(sa.func.count()).where(begun, sa.not_(e.finished))) or 0


def since(connection: Connection, after: datetime | None) -> dict[str, datetime]:
    """Return the erasures from `after` on, by the hash of the user's id; None: all."""
    wanted = sa.select(e.user_hash, e.erased_at)
    if after is not None:
        wanted = wanted.where(e.erased_at >= after)
    return {row.user_hash: row.erased_at for row in connection.execute(wanted)}


class WithToken(Protocol):
    """What a user with a token asked for; `issued_at` in seconds since 1970, infinite without a token."""

    @property
    def user_id(self) -> str:
        """Whose it is."""

    @property
    def issued_at(self) -> float:
        """When the token was issued."""


Asked = TypeVar("Asked", bound=WithToken)


def outdated(connection: Connection, asked: Collection[Asked]) -> list[Asked]:
    """Return those whose user was erased after the token was issued.

    A process reads the erasures now and then; one that stood still may have accepted a token that is older
    than an erasure. Ask after the transaction's first write: an erasure that begins later waits for it.
    """
    users = {one.user_id for one in asked if one.issued_at < math.inf}
    moments = _moments(connection, users) if users else {}
    return [one for one in asked if one.issued_at < moments.get(one.user_id, -math.inf)]


def refuse_outdated(connection: Connection, user_id: str, issued_at: float) -> None:
    """Raise Unauthenticated when the user was erased after the token was issued; see `outdated`."""
    if issued_at < math.inf and issued_at < _moments(connection, [user_id]).get(user_id, -math.inf):
        raise Unauthenticated("the token is revoked")


def _moments(connection: Connection, users: Iterable[str]) -> dict[str, float]:
    """Return when those users who were erased were: user -> seconds since 1970."""
    by_hash = {user_hash(user): user for user in users}
    query = sa.select(e.user_hash, e.erased_at).where(e.user_hash.in_(sorted(by_hash)))
    return {by_hash[row.user_hash]: row.erased_at.timestamp() for row in connection.execute(query)}


def bases(connection: Connection, users: Iterable[str]) -> dict[str, int]:
    """Return, of those who were erased, the seq beyond which their new log begins."""
    by_hash = {user_hash(user): user for user in users}
    asked = sorted(by_hash)
    found: dict[str, int] = {}
    for start in range(0, len(asked), 500):
        query = sa.select(e.user_hash, e.base).where(e.user_hash.in_(asked[start : start + 500]))
        found |= {by_hash[row.user_hash]: row.base for row in connection.execute(query)}
    return found


def begin_log(connection: Connection, user_id: str, base: int, *, seqs: int) -> None:
    """Let the new log of an erased user begin beyond `base`; for a client of the old one that is purged."""
    values = {"seq": base + seqs, "purged_seq": base}
    connection.execute(sa.update(inboxes).where(i.user_id == user_id).values(**values))
