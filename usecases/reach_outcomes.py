"""Store the outcomes of messages, and what they say about their addresses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.store import addresses, reach_outcomes
from models.store.reach_outcomes import Kept
from notifier.channels import Gone, Refused, Result, Retry, Sent
from notifier.core.backoff import equal_jitter
from notifier.core.reach import Move
from notifier.outbox import clock
from notifier.outbox.engine import Connection, Database
from usecases.channel_results import InDoubt, Paused
from usecases.reach import Claimed
from usecases.reach_rules import Rules

PAUSED_FOR = timedelta(minutes=1)  # at least; the loop decides when the channel goes on
NOT_HEARD = "its deadline passed: the worker may have died while it was with the provider"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a claimed message, and the seconds it took."""

    claimed: Claimed
    result: Result
    seconds: float = 0.0


def keep(
    database: Database, outcomes: Sequence[Outcome], *, rules: Rules, jitter: Callable[[], float]
) -> None:
    """Store the outcomes of messages, and what they say about their addresses. Raises DatabaseUnavailable."""

    def work(connection: Connection) -> None:
        present = clock.present(connection)
        kept = [one for outcome in outcomes for one in _kept(outcome, present, rules, jitter)]
        reach_outcomes.keep(connection, kept, present=present)
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
    """Apply the results to their addresses."""
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
        rows = reach_outcomes.overdue(connection, present=present)
        reach_outcomes.keep(
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
        reach_outcomes.again(connection, moves)
