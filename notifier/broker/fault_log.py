"""Log a line when a fault of the broker begins and one when it ends, however many parts notice it."""

import logging

from notifier.broker.faults import Fault

log = logging.getLogger(__name__)


class FaultLog:
    """Logs each fault once, for the parts of one gateway, in one thread or under gevent."""

    def __init__(self) -> None:
        self._now: dict[str, Fault] = {}  # by the part that noticed it
        self._said = ""  # the state that was logged last

    def begins(self, part: str, fault: Fault, error: BaseException | None = None) -> None:
        """Note that `part` has a fault, or still has; log the traceback of an unknown `error`."""
        self._now[part] = fault
        if fault.state != self._said:
            log.warning("the broker fails: part=%s state=%s detail=%s cure=%s", part, *fault, exc_info=error)
        self._said = fault.state

    def ends(self, part: str) -> None:
        """Note that `part` has no fault any more."""
        if self._now.pop(part, None) is None or self._now:
            return
        log.warning("the broker works again: it was %s", self._said)
        self._said = ""
