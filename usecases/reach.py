"""Channels: take what is due to be sent; start failed rows again, or forget them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from models.store import reach, reach_claim
from models.store.reach_claim import DueDigest, Later
from notifier.channels import Entry, Message
from notifier.core.digest import next_digest
from notifier.core.errors import NotFound
from notifier.core.policy import zone_of
from notifier.core.reach import DIGEST_ENTRIES, Skipped
from notifier.outbox import clock
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import AnyRow
from usecases.reach_rules import Rules, Send, decide


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that was taken to be sent.

    Attributes:
        rows: row number -> which attempt this is; one row, or those of a digest.
        message: what the channel gets.
        address_id: the address's number.
    """

    rows: Mapping[int, int]
    message: Message
    address_id: int = 0


def claim(
    database: Database, channel: str, limit: int, hosts: Collection[str], *, rules: Rules
) -> Sequence[Claimed]:
    """Take what is due of a channel: it is `sending` when this returns, and its deadline runs.

    Args:
        database: where the rows are.
        channel: its name.
        limit: messages at most.
        hosts: addresses that begin with one of these are left out.
        rules: the settings.

    Raises DatabaseUnavailable.
    """
    return database.run(partial(_claim, channel=channel, limit=limit, hosts=hosts, rules=rules))


def _claim(
    connection: Connection, *, channel: str, limit: int, hosts: Collection[str], rules: Rules
) -> Sequence[Claimed]:
    present = clock.present(connection)
    skipped: dict[int, str] = {}
    later: dict[int, Later] = {}
    claimed: list[Claimed] = []
    singles = reach_claim.due(connection, channel, present=present, limit=limit, hosts=hosts)
    claimed += [_message([row]) for row in singles if _wanted(row, present, rules, skipped, later)]
    if len(claimed) < limit:
        for digest in reach_claim.due_digests(
            connection, channel, present=present, limit=limit - len(claimed)
        ):
            rows = [
                row
                for row in _in_this_digest(digest, present, rules, later)
                if _wanted(row, present, rules, skipped, later)
            ]
            if rows:
                claimed.append(_message(rows))
    reach_claim.skip(connection, skipped)
    reach_claim.postpone(connection, later)
    reach_claim.claim(connection, [id for one in claimed for id in one.rows], present=present)
    return claimed


def _wanted(
    row: AnyRow, present: datetime, rules: Rules, skipped: dict[int, str], later: dict[int, Later]
) -> bool:
    decision = decide(row, present=present, rules=rules)
    if isinstance(decision, Skipped):
        skipped[row.id] = decision
    elif isinstance(decision, Later):
        later[row.id] = decision
    return isinstance(decision, Send)


def _in_this_digest(
    digest: DueDigest, present: datetime, rules: Rules, later: dict[int, Later]
) -> Sequence[AnyRow]:
    """Return the rows of a digest that go with it; what came after it had gone goes with the next one."""
    if not digest.closed:
        return [row for row in digest.rows if row.next_at <= present]
    for row in digest.rows:
        if row.attempts == 0:
            zone = zone_of(row.preferences, row.timezone, rules.zone)
            due = next_digest(row.digest, present, zone, rules.digest_at)
            later[row.id] = Later(due, due, row.digest)
    return [row for row in digest.rows if row.attempts > 0 and row.next_at <= present]


def _message(rows: Sequence[AnyRow]) -> Claimed:
    """Return the message for one row, or for those of a digest, newest first."""
    ordered = sorted(rows, key=lambda row: row.seq, reverse=True)
    first = ordered[0]
    entries = tuple(
        Entry(
            row.notification_id,
            row.event,
            row.data,
            row.category,
            row.accepted_at,
            row.expires_at,
            row.collapse_key,
            row.id,
        )
        for row in ordered[:DIGEST_ENTRIES]
    )
    message = Message(
        channel=first.channel,
        address=first.address,
        user_id=first.user_id,
        entries=entries,
        total=len(ordered),
        categories=tuple(sorted({row.category for row in ordered})),
        required=first.required,
        digest=first.digest,
        attempt=max(row.attempts for row in ordered) + 1,
        keys=first.details,
        name=first.name,
        locale=first.locale,
        timezone=first.timezone,
    )
    return Claimed({row.id: row.attempts + 1 for row in ordered}, message, first.address_id)


def replay(database: Database, number: int) -> int:
    """Let a failed or unknown row of a channel wait again, with all its attempts; return its number.

    Raises NotFound and DatabaseUnavailable.
    """

    def work(connection: Connection) -> bool:
        return reach.replay(connection, number, present=clock.present(connection))

    if not database.run(work):
        raise NotFound(f"row {number} has not failed, and it is not unknown")
    return number


def drop(database: Database, number: int) -> int:
    """Forget a failed row of a channel; return its number. Raises NotFound and DatabaseUnavailable."""
    if not database.run(lambda connection: reach.drop(connection, number)):
        raise NotFound(f"row {number} has not failed")
    return number
