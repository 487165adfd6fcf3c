"""The gateway's rules for one socket, sans I/O: frames and rows in, effects out.

No socket, no SQL, no clock of its own. The gateway calls it, executes the effects it returns in order, and
reports back: `receive` a client's frame, `offer` what the broker brought, `take`
what may be sent now, `joined` and `fetched` with what SQL said, `tick` when `deadline` is due.

One rule keeps the log complete, whatever the broker loses, doubles or swaps: of an offered event,
`seq == sent + 1` is sent, `seq <= sent` is dropped, `seq > sent + 1` shows a gap, which is fetched. A log
whose head is before `sent`, or that continues from a base beyond it, is another log: a reset.

    NEW ──hello──> JOINING ──joined──> LIVE ──close──> CLOSED
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from notifier.core import frames
from notifier.core.effects import Acked, Change, Close, Effect, Fetch, Join, Send
from notifier.core.errors import BadFrame, HelloTimeout, NotifierError, TooMany, Unauthenticated, Unavailable
from notifier.core.log import ARCHIVED, READ, SEEN, SNOOZE, UNREAD, UNSNOOZE, Snapshot

BUFFER_EVENTS = 256  # offered events kept for one socket at most; more are fetched from SQL again
BUFFER_BYTES = 1024 * 1024
MAX_SPANS = 8  # resets whose acks may still arrive
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Principal:
    """A token's user, until when and since when it is valid (seconds, on the session's clock)."""

    user_id: str
    expires_at: float
    issued_at: float = 0.0


class Phase(Enum):
    """The phase of a socket."""

    NEW = auto()
    JOINING = auto()
    LIVE = auto()
    CLOSED = auto()


@dataclass(slots=True)
class TokenBucket:
    """Allows `rate` frames a second on average, twice as many at once."""

    rate: float
    level: float
    at: float

    def take(self, now: float) -> bool:
        """Take one; return False when none is left."""
        elapsed = max(0.0, now - self.at)  # a wall clock may step back
        self.level = min(self.rate * 2, self.level + elapsed * self.rate)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True

    def give_back(self) -> None:
        """Undo the last `take`."""
        self.level += 1


@dataclass(slots=True)
class Span:
    """What a socket was sent since its start or a reset, and how far that is acked."""

    window_from: int = 0
    log_from: int = 0
    acked: int = 0
    sent: int = 0

    def ack(self, seq: int) -> list[Effect]:
        """Return the effects of an ack up to `seq`."""
        through = min(seq, self.sent)
        if through <= self.acked:
            return []
        after, self.acked = self.acked, through
        return [Acked(self.window_from, self.log_from, after, through)]


@dataclass(slots=True)
class Session:
    """The protocol for one socket.

    Args:
        verify: turns a token into a Principal, or raises Unauthenticated.
        now: the present (seconds; any monotonic origin, the same as `verify` uses).
        hello_timeout: seconds within which the hello must come.
        ping_interval: seconds, for `welcome`.
        frames_per_second: how many a client may send on average.
    """

    verify: Callable[[str], Principal]
    now: float
    hello_timeout: float = 5.0
    ping_interval: float = 25.0
    frames_per_second: float = 50.0

    phase: Phase = field(default=Phase.NEW, init=False)
    user_id: str = field(default="", init=False)
    device: str | None = field(default=None, init=False)
    expires_at: float = field(default=NEVER, init=False)
    issued_at: float = field(default=0.0, init=False)  # of its newest token
    sent: int = field(default=0, init=False)  # the log up to here has been sent
    spans: list[Span] = field(default_factory=list, init=False)  # the newest at the end
    overflows: int = field(default=0, init=False)  # how often the buffer overflowed
    _acked: int = field(default=0, init=False)  # the highest seq of an ack, since the start or a reset
    _unanswered: int = field(default=0, init=False)  # events and items sent that acks may still answer
    _heard: int = field(default=0, init=False)  # the highest seq reported since SQL was asked
    _doubted: bool = field(default=False, init=False)  # SQL said that the log ends before `sent`
    _fetching: bool = field(default=False, init=False)
    _asked: int = field(default=0, init=False)  # the highest reported seq when SQL was asked
    _held: int = field(default=0, init=False)  # how many events the buffer held then
    # A list: it is mostly empty, and an empty deque takes 700 bytes of each idle socket.
    _buffer: list[tuple[int, bytes]] = field(default_factory=list, init=False)
    _buffered: int = field(default=0, init=False)  # bytes
    _bucket: TokenBucket = field(init=False)

    def __post_init__(self) -> None:
        self._bucket = TokenBucket(self.frames_per_second, self.frames_per_second * 2, self.now)
        self.expires_at = self.now + self.hello_timeout

    # ------------------------------------------------------------------ the client's side

    def receive(self, frame: str | bytes | None, now: float) -> list[Effect]:
        """Handle a frame of the client.

        `None` is a control frame or fragment; it still consumes rate limit.
        """
        if self.phase is Phase.CLOSED:
            return []
        if now >= self.expires_at:
            return self.tick(now)  # it arrived too late, however soon it is handled
        try:
            given = self._counted(frame, now)
            return [] if given is None else self._perform(given, now)
        except Unavailable as exc:
            return self.close(exc.close_code, f"{exc.retry_after:.1f}")  # seconds after which to return
        except NotifierError as exc:
            return self.close(exc.close_code, exc.detail)

    def _counted(self, frame: str | bytes | None, now: float) -> frames.ClientFrame | None:
        """Return the frame, parsed and counted; None: it does not end a message.

        An ack that moves forward is free: a client that acks each event answers what it was sent, and
        after an outage that is a lot at once. There are no more of them than events sent.

        Raises TooMany, whatever the frame holds, and what `frames.parse` raises.
        """
        room = self._bucket.take(now)
        too_many = TooMany(f"more than {self.frames_per_second:g} frames a second")
        if frame is None:
            if not room:
                raise too_many
            return None
        try:
            given = frames.parse(frame)
        except NotifierError:
            if not room:
                raise too_many from None
            raise
        if isinstance(given, frames.Ack) and self._acked < given.seq <= self.sent and self._unanswered:
            self._acked = given.seq
            self._unanswered = 0 if given.seq == self.sent else self._unanswered - 1
            if room:
                self._bucket.give_back()
        elif not room:
            raise too_many
        return given

    def _perform(self, frame: frames.ClientFrame, now: float) -> list[Effect]:
        if isinstance(frame, frames.Hello):
            return self._hello(frame, now)
        if self.phase is Phase.NEW:
            raise BadFrame("hello comes first")
        match frame:
            case frames.Ping():
                return [Send(frames.pong())]
            case frames.Ack():
                return self._ack(frame.seq)
            case frames.Auth():
                return self._auth(frame.token, now)
            case frames.Read():
                return [Change(READ, frame.ids, frame.through)]
            case frames.Unread():
                return [Change(UNREAD, frame.ids)]
            case frames.Archive():
                return [Change(ARCHIVED, frame.ids)]
            case frames.Seen():
                return [Change(SEEN, through=frame.through)]
            case frames.Snooze():
                return [Change(SNOOZE, frame.ids, until=frame.until)]
            case frames.Unsnooze():
                return [Change(UNSNOOZE, frame.ids)]

    def _hello(self, hello: frames.Hello, now: float) -> list[Effect]:
        if self.phase is not Phase.NEW:
            raise BadFrame("hello comes once")
        self._enter(self.verify(hello.token), now)
        self.device = hello.device
        self.phase = Phase.JOINING
        return [Join(self.user_id, hello.after, hello.device)]

    def _auth(self, token: str, now: float) -> list[Effect]:
        fresh = self.verify(token)
        if fresh.user_id != self.user_id:
            raise Unauthenticated("the new token is another user's")
        self._enter(fresh, now)
        return []

    def _enter(self, principal: Principal, now: float) -> None:
        if principal.expires_at <= now:
            raise Unauthenticated("the token has expired")
        self.user_id, self.expires_at = principal.user_id, principal.expires_at
        self.issued_at = principal.issued_at

    def _ack(self, seq: int) -> list[Effect]:
        if seq > self.sent:
            return [Send(frames.error("ack_ahead", f"this socket was sent up to {self.sent}"))]
        if self.spans:
            self.spans[-1].sent = self.sent
        effects = [effect for span in self.spans for effect in span.ack(seq)]
        self.spans = [span for span in self.spans[:-1] if span.acked < span.sent] + self.spans[-1:]
        return effects

    def revoke(self, at: float) -> bool:
        """Treat tokens issued before `at` as revoked; return whether this socket's is one of them.

        If it is, the session ends at the next `tick`.
        """
        if self.phase is Phase.NEW or self.issued_at >= at:
            return False
        self.expires_at = -NEVER
        return True

    # ------------------------------------------------------------------ SQL's side

    def joined(self, at: Snapshot, now: float | None = None) -> list[Effect]:
        """Start from the snapshot that Join (or a Fetch too far behind) asked for; `now` as in `receive`."""
        if self.phase is Phase.CLOSED:
            return []
        effects: list[Effect] = []
        if self.phase is Phase.JOINING:
            effects.append(Send(frames.welcome(self.user_id, at, self.ping_interval, now)))
        if at.reset is not None:
            effects.append(Send(frames.reset(at.reset, at)))
        if at.window is not None:
            effects += [Send(frames.item(self.user_id, item)) for item in at.window]
            span = Span(at.window[0].seq if at.window else at.head + 1, at.head)
            self._acked, self._unanswered = 0, len(at.window)
        else:
            log = at.log or ()
            effects += [Send(frames.event(self.user_id, entry)) for entry in log]
            start = log[0].seq - 1 if log else at.head
            span = Span(start + 1, start, acked=start)
            self._acked, self._unanswered = start, len(log)
        effects.append(Send(frames.live(at.head)))
        if self.spans:
            self.spans[-1].sent = self.sent
        self.spans = [*self.spans, span][-MAX_SPANS:]
        self.phase = Phase.LIVE
        self.sent = at.head
        self._answered(at)
        return effects + self.take()

    def fetched(self, at: Snapshot) -> list[Effect]:
        """Accept the log that Fetch asked for: in order, from `sent + 1`, without a gap."""
        if self.phase is Phase.CLOSED:
            return []
        effects: list[Effect] = []
        for entry in at.log or ():
            if entry.seq == self.sent + 1:
                effects.append(Send(frames.event(self.user_id, entry)))
                self.sent = entry.seq
                self._unanswered += 1
        self._answered(at)
        return effects + self.take()

    def _answered(self, at: Snapshot) -> None:
        if self._fetching and self._asked > at.head:
            # SQL is the truth: a seq that it did not know when asked was never committed.
            for _ in range(self._held):
                _, frame = self._buffer.pop(0)
                self._buffered -= len(frame)
        if self._fetching:
            self._heard = max(self._heard, at.head)
        self._fetching = self._doubted = False

    def failed(self) -> None:
        """Note that the Fetch failed; `take` asks again."""
        self._fetching = False
        self._heard = max(self._heard, self._asked)

    # ------------------------------------------------------------------ the broker's side

    def offer(self, seq: int, frame: bytes) -> bool:
        """Accept an event from the broker; return whether `take` should be called.

        Never blocks and never fails: a full buffer is dropped and read from SQL again.
        """
        if self.phase in (Phase.NEW, Phase.CLOSED) or (self.phase is Phase.LIVE and seq <= self.sent):
            return False
        self._heard = max(self._heard, seq)
        self._buffer.append((seq, frame))
        self._buffered += len(frame)
        if len(self._buffer) > BUFFER_EVENTS or self._buffered > BUFFER_BYTES:
            self._buffer.clear()
            self._buffered = self._held = 0
            self.overflows += 1
        return True

    def heard(self, head: int) -> bool:
        """Note that the log's head in SQL is `head`; return whether `take` should be called.

        A head before `sent` is either outdated, or the database has lost what was sent: SQL is asked again.
        """
        if self.phase is not Phase.LIVE or head == self.sent:
            return False
        if head < self.sent:
            self._doubted = True
        self._heard = max(self._heard, head)
        return True

    def take(self) -> list[Effect]:
        """Return what may be sent now; at most one Fetch, at the end, when something is missing."""
        if self.phase is not Phase.LIVE or self._fetching:
            return []
        effects: list[Effect] = []
        while self._buffer:
            seq, frame = self._buffer[0]
            if seq > self.sent + 1:
                break
            self._buffer.pop(0)
            self._buffered -= len(frame)
            if seq == self.sent + 1:
                effects.append(Send(frame))
                self.sent = seq
                self._unanswered += 1
        if self._heard > self.sent or self._doubted:
            asked = max(self._heard, self.sent)
            self._fetching, self._asked, self._held = True, asked, len(self._buffer)
            self._heard = 0
            effects.append(Fetch(self.user_id, self.sent))
        return effects

    # ------------------------------------------------------------------ the clock's side

    @property
    def deadline(self) -> float:
        """When `tick` is due: the hello's or the token's end."""
        return self.expires_at

    def tick(self, now: float) -> list[Effect]:
        """Handle the passing of time."""
        if self.phase is Phase.CLOSED or now < self.expires_at:
            return []
        if self.phase is Phase.NEW:
            return self.close(HelloTimeout.close_code, f"no hello within {self.hello_timeout:g} s")
        why = "is revoked" if self.expires_at == -NEVER else "has ended"
        return self.close(Unauthenticated.close_code, f"the token {why}")

    def close(self, code: int, reason: str) -> list[Effect]:
        """End the session."""
        if self.phase is Phase.CLOSED:
            return []
        self.phase = Phase.CLOSED
        self._buffer.clear()
        self._buffered = 0
        return [Close(code, reason)]
