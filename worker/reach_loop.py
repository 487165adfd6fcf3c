"""The loop that takes due rows of channels and hands them to threads, which call the providers.

Each channel has threads of its own, so a provider that hangs holds up no other one. A row is `sending` in SQL
before its thread begins, and no row is taken that no thread is free for.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from notifier.channels import Channel, Result, Retry
from notifier.core.errors import DatabaseUnavailable
from usecases.channel_results import Paused
from usecases.reach import Claimed
from usecases.reach_outcomes import Outcome
from worker.reach_lane import PAUSE_FIRST, PAUSE_LONGEST, Lane, attempt, host
from worker.reach_measures import ReachMeasures

log = logging.getLogger(__name__)

GATHER = 0.02  # seconds in which threads that become free share the next claim


#: Takes up to so many due messages of a channel; not to these hosts.
Claim = Callable[[str, int, frozenset[str]], Sequence[Claimed]]


class ReachLoop:
    """Sends due rows until it is stopped.

    Args:
        channels: name -> channel.
        claim: takes due messages; they are `sending` in SQL when it returns.
        store: keeps an outcome; safe from several threads.
        tidy: finds what is past its deadline, and what no wake-up told of.
        threads: of each channel; half of them at most for one host.
        interval: seconds between two looks without a wake-up.
        clock: monotonic seconds.
        measures: hears of each outcome, and of pauses.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        claim: Claim,
        store: Callable[[Outcome], None],
        tidy: Callable[[], object],
        *,
        threads: int,
        interval: float,
        clock: Callable[[], float] = time.monotonic,
        measures: ReachMeasures | None = None,
    ) -> None:
        self._lanes = {name: Lane(channel, threads) for name, channel in channels.items()}
        self._claim = claim
        self._store = store
        self._tidy = tidy
        self._interval = interval
        self._clock = clock
        self._measures = measures or ReachMeasures()
        self._changed = threading.Condition()
        self._woken = False
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._away = False

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="notifier-reach", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 35.0) -> None:
        """Claim nothing more, and wait up to `timeout` seconds for messages in progress."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        until = time.monotonic() + timeout
        if self._thread is not None:
            self._thread.join(timeout)
        with self._changed:
            while any(lane.busy for lane in self._lanes.values()) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
        for lane in self._lanes.values():
            if callable(close := getattr(lane.channel, "close", None)):
                close()

    def wake(self) -> None:
        """Start a round now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _run(self) -> None:
        due = self._clock()
        while not self._stopped:
            with self._guarded():
                if self._clock() >= due:
                    due = self._clock() + self._interval
                    self._tidy()
                    self._look_everywhere()
                self.round()
            self._wait(due)

    def _look_everywhere(self) -> None:
        for lane in self._lanes.values():
            lane.more = True

    def _wait(self, due: float) -> None:
        """Wait until something can be taken, or it is time for the next look."""
        with self._changed:
            while not self._stopped and not self._woken and (left := due - self._clock()) > 0:
                if any(lane.more and lane.busy < lane.threads for lane in self._lanes.values()):
                    break
                self._changed.wait(min(left, self._interval))
            if self._woken:
                self._look_everywhere()
            self._woken = False
        if not self._stopped:
            time.sleep(GATHER)  # a claim for several is cheaper than several claims

    def round(self) -> int:
        """Claim one round of due messages, as many as each channel has free threads; return their number."""
        total = 0
        for name, lane in self._lanes.items():
            if self._stopped or self._pauses(name, lane):
                continue
            with self._changed:
                free = lane.threads - lane.busy
                limit = max(1, lane.threads // 2)
                full = frozenset(host for host, count in lane.hosts.items() if count >= limit)
            if not free or not lane.more:
                continue
            lane.more = False
            claimed = self._claim(name, free, full)
            lane.more = len(claimed) >= free
            total += len(claimed)
            for one in claimed:
                self._begin(name, lane, one)
        return total

    def _pauses(self, name: str, lane: Lane) -> bool:
        if not lane.paused_until:
            return False
        if self._clock() < lane.paused_until:
            return True
        lane.paused_until, lane.more = 0.0, True
        self._measures.paused(name, paused=False)
        return False

    def _begin(self, name: str, lane: Lane, claimed: Claimed) -> None:
        with self._changed:
            lane.busy += 1
            if where := host(claimed.message.address):
                lane.hosts[where] += 1
        thread = threading.Thread(
            target=self._send, args=(name, lane, claimed), name=f"notifier-{name}", daemon=True
        )
        thread.start()

    def _send(self, name: str, lane: Lane, claimed: Claimed) -> None:
        try:
            began = self._clock()
            outcome = Outcome(claimed, attempt(lane.channel, claimed.message), self._clock() - began)
            self._pause_or_go_on(name, lane, outcome.result)
            self._keep(outcome)
        finally:
            with self._changed:
                lane.busy -= 1
                if where := host(claimed.message.address):
                    lane.hosts[where] -= 1
                    lane.more = True  # what had to wait for this host
                self._changed.notify_all()

    def _keep(self, outcome: Outcome) -> None:
        """Store an outcome; retry while the database is down, because only this thread knows it."""
        result = type(outcome.result).__name__.lower()
        self._measures.reached(outcome.claimed.message.channel, result, outcome.seconds)
        pause = 0.2
        while True:
            try:
                self._store(outcome)
                return  # noqa: TRY300
            except DatabaseUnavailable:
                if self._stopped:
                    return  # its deadline will call it unknown
                time.sleep(pause)
                pause = min(2.0, pause * 2)
            except Exception:
                log.exception("an outcome cannot be stored: rows=%s", sorted(outcome.claimed.rows)[:10])
                return

    def _pause_or_go_on(self, name: str, lane: Lane, result: Result) -> None:
        with self._changed:
            if isinstance(result, Paused):
                if not lane.paused_until:
                    lane.paused_until = self._clock() + lane.pause
                    log.error(
                        "channel %s pauses for %d s, its provider refuses us: %s",
                        name,
                        lane.pause,
                        result.reason,
                    )
                    lane.pause = min(PAUSE_LONGEST, lane.pause * 2)
                    self._measures.paused(name, paused=True)
            elif not isinstance(result, Retry):
                lane.pause = PAUSE_FIRST

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Run a round; log an exception, and continue."""
        try:
            yield
        except DatabaseUnavailable as exc:
            if not self._away:
                log.warning("no channel sends until the database answers: error=%s", exc)
            self._away = True
            time.sleep(0.5)
        except Exception:
            log.exception("a round of the channels failed")
            time.sleep(0.5)
        else:
            if self._away:
                log.warning("the database answers: channels send again")
            self._away = False
