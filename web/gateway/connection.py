"""One socket: performs what its session says, a turn at a time (`turns.py`)."""

import logging
import random
import sys
import time
import uuid
from collections.abc import Callable

import gevent

from models.store.delivered import Ack
from models.store.devices import Closed
from notifier.core import frames
from notifier.core.backoff import equal_jitter
from notifier.core.deadline import within
from notifier.core.effects import Acked, Change, Close, Effect, Fetch, Join, Send
from notifier.core.errors import InvalidInput, NotifierError, TooSlow, Unavailable
from notifier.core.log import Snapshot
from notifier.core.log_throttle import LogThrottle
from notifier.core.session import Phase, Session
from notifier.outbox.types import now as utc_now
from notifier.signals import client_connected, client_disconnected, emit
from usecases.change_entries import change_entries
from web import metrics
from web.gateway.deadlines import NEVER, NOWHERE
from web.gateway.services import Services
from web.gateway.snapshots import SnapshotRequest, window_of
from web.gateway.transport import ABNORMAL, PeerClosed, Transport
from web.gateway.turns import TurnState

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

IDLE = 60.0  # seconds after which a socket looks around at the latest: a wall clock may step
FETCH_RETRY, FETCH_RETRY_MAX = 0.5, 5.0  # seconds at most between attempts while the database is away


class ClientConnection:
    """A socket: a session, a transport, and the gateway's services.

    Args:
        services: the parts of the gateway.
        transport: carries its frames.
        user_agent: what the browser says it is.
        ended: called once, when nothing is left of it.
    """

    __slots__ = (
        "__weakref__", "_closing", "_code", "_ended", "_failed_fetches", "_in_room", "_put_off", "_retry_at",
        "_services", "_transport", "_user_agent", "_welcomed", "due", "filed", "id", "session",
        "turn_state",
    )  # fmt: skip

    def __init__(
        self,
        services: Services,
        transport: Transport,
        user_agent: str | None,
        *,
        ended: "Callable[[ClientConnection], None] | None" = None,
    ) -> None:
        settings = services.settings
        self.id = str(uuid.uuid4())
        self._services = services
        self._transport = transport
        self._user_agent = sys.intern(user_agent) if user_agent else None  # thousands have the same
        self._ended = ended
        self._code = ABNORMAL
        self._in_room = False
        self._welcomed = False
        self._retry_at = 0.0
        self._failed_fetches = 0
        self._closing: tuple[int, str] | None = None
        self._put_off: list[Effect] = []  # what waits until the peer has taken what was sent before it
        self.turn_state = TurnState.IDLE
        self.due, self.filed = NEVER, NOWHERE
        self.session = Session(
            verify=services.verify,
            now=time.time(),
            hello_timeout=settings.hello_timeout,
            ping_interval=settings.ping_interval,
            frames_per_second=settings.frames_per_second,
        )

    # ---------------------------------------------------------------- called by others

    def offer(self, seq: int, frame: bytes) -> None:
        """Accept an event from the broker."""
        before = self.session.overflows
        if self.session.offer(seq, frame):
            self.wake()
        if self.session.overflows != before:
            metrics.OVERFLOWS.inc()

    def heard(self, head: int) -> None:
        """Accept the head of the log in SQL."""
        if self.session.heard(head):
            self.wake()

    def revoke(self, at: float) -> None:
        """Treat the user's tokens issued before `at` (seconds since 1970) as revoked."""
        if self.session.revoke(at):
            self.wake()

    def ask_to_close(self, code: int, reason: str) -> None:
        """Close soon, in a turn of the socket's own."""
        self._closing = (code, reason)
        self.wake()

    def wake(self) -> None:
        """Have a turn soon: something has happened. Never blocks."""
        self._services.turns.ready(self)

    # ---------------------------------------------------------------- a turn

    def start(self) -> None:
        """Serve the socket from now on."""
        self._transport.start(self.wake)
        self._rest()

    def turn(self) -> None:
        """Do what is to be done now; called by Turns."""
        if self.session.phase is not Phase.CLOSED:
            self._try()
        if self.session.phase is Phase.CLOSED:
            self._transport.expire()
            if self._transport.gone:
                self._end()
                return
        self._rest()

    def _rest(self) -> None:
        """Have the next turn when something happens, or a deadline has passed."""
        if self.session.phase is not Phase.CLOSED:
            self._transport.watch()
        self.due = self._next_due()
        self._services.deadlines.file(self)

    def _try(self) -> None:
        try:
            self._work()
        except PeerClosed as exc:
            log.debug("socket gone: socket=%s user=%s reason=%s", self.id, self.session.user_id, exc)
            self._code = exc.code
            self.session.close(exc.code, "")
        except TooSlow as exc:
            self._leave()  # from here on it costs other sockets nothing
            self._perform(self.session.close(exc.close_code, exc.detail))
        except (Exception, gevent.Timeout):
            log.exception("socket failed: socket=%s user=%s", self.id, self.session.user_id)
            self._perform(self.session.close(NotifierError.close_code, "something went wrong here"))
        if self.session.phase is Phase.CLOSED:
            self._put_off = []
            self._leave()
            self._transport.release()

    def _work(self) -> None:
        now = time.time()
        session, transport = self.session, self._transport
        transport.check()
        if not transport.blocked:
            put_off, self._put_off = self._put_off, []
            self._perform(put_off)
        if transport.blocked:
            return
        self._perform(session.tick(now))
        for frame in transport.read():
            metrics.RECEIVED.inc()
            self._perform(session.receive(frame, now))
            if transport.blocked:
                return  # the rest is read when the peer has taken this
        if self._closing:
            self._perform(session.close(*self._closing))
        if time.monotonic() >= self._retry_at:
            self._perform(session.take())

    def _next_due(self) -> float:
        """Return when the next turn is due if nothing happens before (monotonic)."""
        due = self._transport.due
        if self.session.phase is Phase.CLOSED or self._transport.blocked:
            return due
        now = time.monotonic()
        due = min(due, now + min(IDLE, self.session.deadline - time.time()))
        return min(due, self._retry_at) if self._retry_at > now else due

    def _perform(self, effects: list[Effect]) -> None:
        """Execute effects in order; consecutive frames are sent together.

        While the peer does not take what was sent, nothing is done but sending and closing: the rest is
        put off until it has.
        """
        while effects:
            outgoing: list[bytes] = []
            following: list[Effect] = []
            for place, effect in enumerate(effects):
                if isinstance(effect, Send):
                    outgoing.append(effect.frame)
                    continue
                self._send(outgoing)
                outgoing = []
                if self._transport.blocked and not isinstance(effect, Close):
                    self._put_off += [*effects[place:], *following]
                    return
                following += self._do(effect)
            self._send(outgoing)
            effects = following

    def _end(self) -> None:
        self._services.deadlines.forget(self)
        ended, self._ended = self._ended, None
        if ended:
            ended(self)

    def _send(self, outgoing: list[bytes]) -> None:
        if outgoing:
            self._transport.send(outgoing)
            metrics.SENT.inc(len(outgoing))
            log.debug("sent: socket=%s user=%s frames=%d through=%d",
                      self.id, self.session.user_id, len(outgoing), self.session.sent)  # fmt: skip

    def _do(self, effect: Effect) -> list[Effect]:
        match effect:
            case Join():
                return self._join(effect)
            case Fetch():
                return self._fetch(effect)
            case Acked():
                session = self.session
                ack = Ack(session.user_id, session.device, effect, self.id, utc_now())
                self._services.acks.add(self.id, ack)
                log.debug("acked: socket=%s user=%s through=%d", self.id, session.user_id, effect.through)
            case Change():
                return self._change(effect)
            case Close(code, reason):
                self._code = code
                self._leave()
                self._transport.close(code, reason)
        return []

    # ---------------------------------------------------------------- effects

    def _join(self, join: Join) -> list[Effect]:
        session = self.session
        try:
            self._in_room = True
            with within(self._services.database.timeout):  # waits for the broker and for the database
                self._services.hub.join(join.user_id, self)
                snapshot = self._snapshot(join.after)
        except Unavailable as exc:
            throttled.warning("hello put off: socket=%s user=%s error=%s", self.id, join.user_id, exc)
            return session.close(exc.close_code, f"{random.uniform(1, 5):.1f}")  # noqa: S311
        except NotifierError as exc:
            return session.close(exc.close_code, exc.detail)
        self._welcomed = True
        metrics.SOCKETS.inc()
        self._services.presence.opened(
            self.id, join.user_id, join.device, after=join.after, head=snapshot.head,
            window=None if snapshot.window is None else window_of(snapshot, join.after)[0],
            issued_at=session.issued_at,
        )  # fmt: skip
        emit(client_connected, self, user_id=join.user_id, device=join.device, socket_id=self.id)
        log.debug(
            "hello: socket=%s user=%s gateway=%s after=%s head=%d",
            self.id, join.user_id, self._services.gateway, join.after, snapshot.head,
        )  # fmt: skip
        return session.joined(snapshot, time.time())

    def _fetch(self, fetch: Fetch) -> list[Effect]:
        try:
            snapshot = self._snapshot(fetch.after, repair=True)
        except Unavailable as exc:
            throttled.warning("repair put off: socket=%s user=%s error=%s", self.id, fetch.user_id, exc)
            self.session.failed()
            pause = equal_jitter(self._failed_fetches, FETCH_RETRY, FETCH_RETRY_MAX)
            self._retry_at = time.monotonic() + pause
            self._failed_fetches += 1
            return []
        self._failed_fetches = 0
        metrics.REPAIRS.inc()
        return self.session.joined(snapshot) if snapshot.reset else self.session.fetched(snapshot)

    def _snapshot(self, after: int | None, *, repair: bool = False) -> Snapshot:
        """Read the snapshot from which the socket continues, and record what its device is being sent."""
        session = self.session
        at = self._services.snapshots(
            SnapshotRequest(
                session.user_id, session.device, self.id, after, repair, self._user_agent, session.issued_at
            )
        )
        if at.reset:
            metrics.RESETS.inc()
            log.info(
                "reset: socket=%s user=%s reason=%s after=%s head=%d",
                self.id, session.user_id, at.reset, after, at.head,
            )  # fmt: skip
        return at

    def _change(self, change: Change) -> list[Effect]:
        try:
            with self._services.changes.turn(self.session.user_id):
                change_entries(
                    self._services.database, self._services.publisher, self.session.user_id, change.op,
                    ids=change.ids or (), through=change.through, until=change.until,
                )  # fmt: skip
        except InvalidInput as exc:
            return [Send(frames.error("invalid", "; ".join(one["msg"] for one in exc.problems)))]
        except Unavailable as exc:
            throttled.warning(
                "change refused: socket=%s user=%s error=%s", self.id, self.session.user_id, exc
            )
            return [Send(frames.error("unavailable", "not done; try again in a moment"))]
        return self.session.take()

    def _leave(self) -> None:
        session = self.session
        if self._in_room:
            self._in_room = False
            self._services.hub.leave(session.user_id, self)
        if not self._welcomed:
            return
        self._welcomed = False
        if session.device is not None:
            self._services.acks.closed(
                self.id, Closed(session.user_id, session.device, self.id, session.sent)
            )
        self._services.presence.ended(self.id, self._code, session.sent)
        metrics.SOCKETS.dec()
        metrics.CLOSED.labels(metrics.close_code(self._code)).inc()
        emit(
            client_disconnected,
            self,
            user_id=session.user_id,
            device=session.device,
            socket_id=self.id,
            code=self._code,
        )
