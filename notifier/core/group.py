"""Group commit: callers that come at the same time share one call of the work. Pure.

The first caller leads: it does the work for all that wait, including itself, then hands the lead to the
first of those that arrived meanwhile. So a single caller does not wait, there is no thread and no timer,
and under load more callers share one transaction.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from notifier.core.deadline import NEVER, seconds_left, within
from notifier.core.errors import DatabaseTimeout
from notifier.core.forks import in_child

LEAD_TIME = 1.0  # seconds that a caller must have left to lead others

T = TypeVar("T")
R = TypeVar("R")


class _Call(Generic[T, R]):
    __slots__ = ("answer", "item", "leads", "woken")

    def __init__(self, item: T) -> None:
        self.item = item
        self.answer: R | Exception | None = None
        self.leads = False
        self.woken = threading.Event()


class Group(Generic[T, R]):
    """Call it with one item; it returns that item's answer. Safe from any thread, and after a fork.

    Work that was interrupted may be done again for the same items: it must be idempotent.

    Args:
        work: takes the items of a group, in the order in which they came, and returns an answer for
            each; an exception among them is raised for its caller alone. Never called twice at the
            same time. When it raises, it is called again for each item alone: it may be one of them.
        max_items: items of one group at most.
        hopeless: errors that concern the whole group, so that nothing is tried again.
        timeout: seconds that a call may take, waiting and leading together; the work is done within the
            leader's (`notifier.core.deadline`). A call that is too late raises DatabaseTimeout.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        max_items: int,
        hopeless: type[Exception] | tuple[type[Exception], ...] = (),
        timeout: float = NEVER,
    ) -> None:
        self._work = work
        self._timeout = timeout
        self._max_items = max_items
        self._hopeless = hopeless
        self._reset()
        in_child(self._reset)  # the waiting callers are in the parent

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Call[T, R]] = []
        self._led = False

    def __call__(self, item: T) -> R:
        """Do the work for `item`, together with other callers; return its answer or raise its error."""
        with within(self._timeout):
            return self._call(_Call(item))

    def _call(self, call: _Call[T, R]) -> R:
        with self._lock:
            self._waiting.append(call)
            call.leads, self._led = not self._led, True
        if not call.leads:
            self._wait(call)
        if call.leads:
            self._lead(call)
        if isinstance(call.answer, Exception):
            raise call.answer
        return call.answer  # type: ignore[return-value]

    def _wait(self, call: _Call[T, R]) -> None:
        """Wait for the answer, or for the lead. Raises DatabaseTimeout."""
        try:
            left = seconds_left()
            answered = call.woken.wait(None if left == NEVER else left)
            if not answered or (call.leads and seconds_left() < LEAD_TIME and len(self._waiting) > 1):
                raise DatabaseTimeout("the database does not answer in time")
        except BaseException:
            with self._lock:
                if call in self._waiting:
                    self._waiting.remove(call)
                if call.leads:
                    self._hand_over()
            raise

    def _lead(self, own: _Call[T, R]) -> None:
        with self._lock:
            group = self._waiting[: self._max_items]
            del self._waiting[: self._max_items]
        others = [call for call in group if call is not own]
        try:
            answers = self._answers([call.item for call in group])
        except BaseException:
            with self._lock:  # only the leader was interrupted: the next one does it again
                self._waiting[:0] = others
                self._hand_over()
            raise
        for call, answer in zip(group, answers, strict=True):
            call.answer = answer
        with self._lock:
            self._hand_over()
        for call in others:
            call.woken.set()

    def _answers(self, items: Sequence[T]) -> Sequence[R | Exception]:
        try:
            return self._work(items)
        except Exception as exc:  # noqa: BLE001  it is each caller's to handle
            if len(items) == 1 or isinstance(exc, self._hopeless):
                return [exc] * len(items)
            return [self._answers([item])[0] for item in items]

    def _hand_over(self) -> None:
        """Let the first waiting caller lead; called with the lock held."""
        if self._waiting:
            self._waiting[0].leads = True
            self._waiting[0].woken.set()
        else:
            self._led = False
