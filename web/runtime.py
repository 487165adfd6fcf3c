"""The parts of a web process, put together once and handed down."""

from dataclasses import dataclass

from flask import current_app

from notifier.broker.faults import UNREACHABLE, Fault
from notifier.broker.publisher import Publisher
from notifier.core.errors import BrokerUnavailable
from notifier.core.keys import KeyRing
from notifier.outbox.engine import Database
from notifier.send import Sender
from notifier.settings import Settings
from notifier.tokens import Tokens
from notifier.wake import Waker
from web.gateway import Gateway
from web.gateway.local_first import LocalFirst
from web.guesses import GuessLimit
from web.limits import CallLimit

EXTENSION = "notifier"


@dataclass(frozen=True, slots=True)
class WebRuntime:
    """The parts of a web process; `current()` finds them from a view."""

    settings: Settings
    database: Database
    sender: Sender
    waker: Waker
    publisher: Publisher
    tokens: Tokens
    keys: KeyRing
    gateway: Gateway
    posts: CallLimit
    calls: CallLimit
    wrong: GuessLimit
    wrong_sign_ins: GuessLimit

    @property
    def local_first(self) -> LocalFirst:
        """A publisher that reaches this process's own sockets without the broker."""
        return self.gateway.services.publisher

    def broker_fault(self) -> Fault | None:
        """The broker's fault; None: there is none. Asks the broker when no socket has made us connect."""
        if self.gateway.started:
            return self.gateway.broker_fault
        try:
            self.publisher.check()
        except BrokerUnavailable:
            return self.publisher.fault or Fault(UNREACHABLE, "it is slow")
        return None

    def broker_answers(self) -> bool:
        """Whether the broker delivers events now."""
        return self.broker_fault() is None


def current() -> WebRuntime:
    """Return the parts of the application that serves this request."""
    runtime: WebRuntime = current_app.extensions[EXTENSION]
    return runtime
