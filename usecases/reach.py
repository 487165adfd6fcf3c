"""Channels: decide about rows that are due, take them to be sent, and keep what became of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial

from models.store import addresses, reach
from models.store.reach import DueDigest, Kept, Later
from notifier.channels import Entry, Gone, Message, Refused, Result, Retry, Sent
from notifier.core.backoff import equal_jitter
from notifier.core.digest import FREQUENCIES, next_digest
from notifier.core.errors import NotFound
from notifier.core.log import Why
from notifier.core.policy import OFF, channel_value, quiet_until, zone_of
from notifier.core.reach import DIGEST_ENTRIES, QUIET, Move, Skipped
from notifier.core.states import CANCELED, EXPIRED, RETRACTED
from notifier.outbox import clock
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import AnyRow
from notifier.settings import Settings
from usecases.channel_results import InDoubt, Paused

PAUSED_FOR = timedelta(minutes=1)  # at least; the loop decides when the channel goes on
NOT_HEARD = "its deadline passed: the worker may have died while it was with the provider"


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a claimed message, and how many seconds it took."""

    claimed: Claimed
    result: Result
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about channels."""

    digest_at: time
    zone: str
    max_attempts: int
    retry_base: float
    retry_max: float
    retry_unknown: bool

    @classmethod
    def from_settings(cls, settings: Settings) -> "Rules":
        """Return what the settings say."""
        hour, minute = map(int, settings.digest_at.split(":"))
        return cls(
            time(hour, minute),
            settings.timezone,
            settings.max_attempts,
            settings.retry_base,
            settings.retry_max,
            settings.unknown == "retry",
        )


@dataclass(frozen=True, slots=True)
class Send:
    """A row is to be sent now."""


Decision = Send | Skipped | Later


def decide(row: AnyRow, *, present: datetime, rules: Rules) -> Decision:
    """Return what is to happen to a row that is due. Pure.

    Args:
        row: as `models.store.reach.due` returns it.
        present: the database's.
        rules: the settings.
    """
    if (why := _unwanted(row, present)) is not None:
        return why
    value = channel_value(row.preferences, row.category, row.channel, required=row.required)
    if value == OFF:
        return Skipped.OFF
    zone = zone_of(row.preferences, row.timezone, rules.zone)
    if row.attempts == 0:
        if row.due_at > present:  # decided again before its time: something has changed
            due = row.due_at
            if row.digest is not None and value in FREQUENCIES:
                due = next_digest(value, present, zone, rules.digest_at)
            elif row.digest is not None:
                due = present
            return Later(due, due, value if value in FREQUENCIES and row.digest is not None else None)
        if value in FREQUENCIES and row.digest != value:
            # From when it was due, so that a digest that was missed while no worker lived goes out now.
            after = present if row.digest is not None else row.due_at
            due = next_digest(value, after, zone, rules.digest_at)
            return Later(due, due, value)
        if value not in FREQUENCIES and row.digest is not None:
            return Later(present, present)
    if not row.required:
        until = quiet_until(row.preferences, zone, present)
        if until is not None:
            return Later(row.due_at, until, row.digest, QUIET)
    return Send()


def _unwanted(row: AnyRow, present: datetime) -> Skipped | None:
    if row.seq is None:
        return Skipped.ERASED
    if row.status in (RETRACTED, CANCELED):
        return Skipped.RETRACTED
    if row.status == EXPIRED or (row.expires_at is not None and row.expires_at <= present):
        return Skipped.EXPIRED
    if row.address is None or row.off_at is not None:
        return Skipped.OFF
    if row.hidden == Why.COLLAPSED:
        return Skipped.COLLAPSED  # the one that took its place has rows of its own
    if row.unless is not None or row.digest is not None:
        if row.read_at is not None:
            return Skipped.READ
        if row.hidden == Why.SNOOZED and row.until > present:
            return Skipped.SNOOZED  # who snoozed it has looked at it
    if row.seen and row.unless == "seen":
        return Skipped.SEEN
    return None


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
    singles = reach.due(connection, channel, present=present, limit=limit, hosts=hosts)
    claimed += [_message([row]) for row in singles if _wanted(row, present, rules, skipped, later)]
    if len(claimed) < limit:
        for digest in reach.due_digests(connection, channel, present=present, limit=limit - len(claimed)):
            rows = [
                row
                for row in _in_this_digest(digest, present, rules, later)
                if _wanted(row, present, rules, skipped, later)
            ]
            if rows:
                claimed.append(_message(rows))
    reach.skip(connection, skipped)
    reach.postpone(connection, later)
    reach.claim(connection, [id for one in claimed for id in one.rows], present=present)
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


def keep(
    database: Database, outcomes: Sequence[Outcome], *, rules: Rules, jitter: Callable[[], float]
) -> None:
    """Keep what became of messages, and what it says about their addresses. Raises DatabaseUnavailable."""

    def work(connection: Connection) -> None:
        present = clock.present(connection)
        kept = [one for outcome in outcomes for one in _kept(outcome, present, rules, jitter)]
        reach.keep(connection, kept, present=present)
        lost = [one for one in kept if one.move is Move.LOSE]
        if lost:
            _retry_lost(connection, [(one.id, one.attempt) for one in lost], present, rules, jitter)
        _judge(connection, outcomes, present)

    database.run(work)


def _kept(outcome: Outcome, present: datetime, rules: Rules, jitter: Callable[[], float]) -> Sequence[Kept]:
    result = outcome.result
    last = max(outcome.claimed.rows.values())
    # One pause for all rows of a digest: they stay together.
    delay = timedelta(seconds=equal_jitter(last - 1, rules.retry_base, rules.retry_max, jitter))
    kept = []
    for id, attempt in outcome.claimed.rows.items():
        if isinstance(result, Sent):
            one = Kept(id, attempt, Move.SENT, provider_id=result.provider_id)
        elif isinstance(result, Paused):
            one = Kept(id, attempt, Move.RETRY, result.reason, next_at=present + PAUSED_FOR, given_back=True)
        elif isinstance(result, Retry) and last >= rules.max_attempts:
            one = Kept(id, attempt, Move.FAIL, result.reason)
        elif isinstance(result, Retry):
            wait = max(delay, timedelta(seconds=result.after or 0.0))
            one = Kept(id, attempt, Move.RETRY, result.reason, next_at=present + wait)
        elif isinstance(result, Gone):
            one = Kept(id, attempt, Move.GONE, result.reason)
        elif isinstance(result, Refused):
            one = Kept(id, attempt, Move.REFUSE, result.reason)
        else:
            one = Kept(id, attempt, Move.LOSE, result.reason)
        kept.append(one)
    return kept


def _judge(connection: Connection, outcomes: Sequence[Outcome], present: datetime) -> None:
    """Note what results say about their addresses."""
    telling = [
        (outcome.claimed.address_id, outcome.result)
        for outcome in outcomes
        if isinstance(outcome.result, Sent | Gone | InDoubt)
    ]
    addresses.lock(connection, {number for number, _ in telling})
    sent = {number for number, result in telling if isinstance(result, Sent)}
    addresses.succeeded(connection, sent, present=present)
    for number, result in telling:
        if isinstance(result, Gone) or (
            isinstance(result, InDoubt)
            and addresses.doubt(connection, number, daily=result.daily, present=present) >= result.limit
        ):
            addresses.switch_off(connection, number, result.reason, present=present)


def lose_overdue(database: Database, *, rules: Rules, jitter: Callable[[], float]) -> int:
    """Mark what is `sending` beyond its deadline as `unknown`; return how many.

    Raises DatabaseUnavailable.
    """

    def work(connection: Connection) -> int:
        present = clock.present(connection)
        rows = reach.overdue(connection, present=present)
        reach.keep(
            connection, [Kept(row.id, row.attempts, Move.LOSE, NOT_HEARD) for row in rows], present=present
        )
        _retry_lost(connection, [(row.id, row.attempts) for row in rows], present, rules, jitter)
        return len(rows)

    return database.run(work)


def _retry_lost(
    connection: Connection,
    rows: Sequence[tuple[int, int]],
    present: datetime,
    rules: Rules,
    jitter: Callable[[], float],
) -> None:
    """Let rows that became `unknown` wait again, where NOTIFIER_UNKNOWN says so and attempts are left."""
    if rules.retry_unknown:
        pause = {
            id: equal_jitter(attempt - 1, rules.retry_base, rules.retry_max, jitter) for id, attempt in rows
        }
        moves = {
            id: present + timedelta(seconds=pause[id]) for id, attempt in rows if attempt < rules.max_attempts
        }
        reach.again(connection, moves)


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
