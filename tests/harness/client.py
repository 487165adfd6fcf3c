"""A ledger on a real socket: connects, resumes, acks, and reconnects as docs/contract.md, section 6, says.

It uses asyncio, one task for each client and no idle timers, so that thousands fit into one process.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from tests.harness.ledger import Ledger

PROTOCOL = Subprotocol("notifier.v1")
# A client that reconnects after these would only be refused again.
FINAL_CODES = {4400, 4401, 4403, 4408, CloseCode.MESSAGE_TOO_BIG, CloseCode.PROTOCOL_ERROR}
Heard = Callable[["LedgerClient", Mapping[str, Any], float], None]


class Backoff:
    """When to reconnect: full jitter under a doubling bound; after 1012 a random time within the given seconds."""

    def __init__(self, rng: random.Random, base: float = 0.2, cap: float = 10.0) -> None:
        self._rng, self._base, self._cap = rng, base, cap
        self._tries = 0

    def succeeded(self) -> None:
        """Begin with the first pause again: the connection is open."""
        self._tries = 0

    def delay(self, code: int | None, reason: str) -> float:
        """Return the seconds to wait before the next attempt."""
        if code == CloseCode.SERVICE_RESTART and (named := re.search(r"\d+(\.\d+)?", reason)):
            return self._rng.uniform(0, float(named[0]))
        bound = min(self._cap, self._base * 2**self._tries)
        self._tries += 1
        return self._rng.uniform(0, bound)


class LedgerClient:
    """A simulated device. `run` connects until `stop`.

    `url` may be a function, called before every connect, so that a client can reconnect elsewhere.
    `heard` is called with every frame and the time (`time.time()`) of its arrival.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        user_id: str,
        token: str | Callable[[], str],
        *,
        device: str | None = None,
        after: int | None = 0,
        ledger: Ledger | None = None,
        ack_every: int = 20,
        ack_seconds: float = 0.25,
        rng: random.Random | None = None,
        heard: Heard | None = None,
    ) -> None:
        self.user_id, self.device = user_id, device
        self.ledger = ledger or Ledger(user_id)
        self.closes: list[tuple[int | None, str]] = []
        self.outages: list[float] = []  # seconds from a loss to being live again
        self.catch_ups: list[float] = []  # seconds from a hello to its live
        self.failure: BaseException | None = None
        self._url, self._token, self._after = url, token, after
        self._ack_every, self._ack_seconds = ack_every, ack_seconds
        self._rng = rng or random.Random()
        self._backoff = Backoff(self._rng)
        self._heard = heard
        self._socket: ClientConnection | None = None
        self._changed = asyncio.Event()
        self._stopping = False
        self._waking = asyncio.Event()
        self._acked = 0
        self._ack_timer: asyncio.TimerHandle | None = None
        self._lost_at: float | None = None
        self._hello_at = 0.0
        self._acks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Connect and listen until `stop`; reconnect as documented.

        Raises Breach, or ConnectionError for a close code that forbids a reconnect.
        """
        try:
            while not self._stopping:
                code, reason = await self._connection()
                if self._stopping:
                    return
                self.closes.append((code, reason))
                if code in FINAL_CODES:
                    raise ConnectionError(f"{self.user_id!r}: closed with {code} {reason!r}")
                try:
                    await asyncio.wait_for(self._waking.wait(), self._backoff.delay(code, reason))
                except TimeoutError:
                    continue
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._changed.set()

    async def _connection(self) -> tuple[int | None, str]:
        url = self._url if isinstance(self._url, str) else self._url()
        try:
            socket = await connect(
                url, subprotocols=[PROTOCOL], compression=None, ping_interval=None, max_size=None,
                open_timeout=15, close_timeout=1, proxy=None,
            )  # fmt: skip
        except (OSError, TimeoutError, InvalidHandshake, InvalidMessage, ConnectionClosed) as error:
            return None, repr(error)
        self._socket = socket
        try:
            after = self._after if self.ledger.seq is None else self.ledger.seq
            self.ledger.says_hello(after)
            self._hello_at = time.monotonic()
            self._acked = after or 0
            token = self._token if isinstance(self._token, str) else self._token()
            await self.send(op="hello", token=token, after=after, device=self.device)
            while True:
                self._enter(json.loads(await socket.recv()))
        except ConnectionClosed:
            return socket.close_code, socket.close_reason or ""
        finally:
            self._socket = None
            self.ledger.ends()
            self._lost_at = self._lost_at or time.monotonic()
            if self._ack_timer is not None:
                self._ack_timer.cancel()
                self._ack_timer = None
            socket.transport.abort()
            self._changed.set()

    def _enter(self, frame: Mapping[str, Any]) -> None:
        self.ledger.feed(frame)
        if frame["op"] == "live":
            self._backoff.succeeded()
            self.catch_ups.append(time.monotonic() - self._hello_at)
            if self._lost_at is not None and self.ledger.connections > 1:
                self.outages.append(time.monotonic() - self._lost_at)
            self._lost_at = None
        if self._heard is not None:
            self._heard(self, frame, time.time())
        due = (self.ledger.seq or 0) - self._acked
        if due >= self._ack_every:
            self._ack()
        elif due > 0 and self._ack_timer is None and self._ack_seconds > 0:
            self._ack_timer = asyncio.get_running_loop().call_later(self._ack_seconds, self._ack)
        self._changed.set()

    def _ack(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None
        if self._socket is not None and self.ledger.live:
            self._acked = self.ledger.seq or 0
            task = asyncio.ensure_future(self.try_send(op="ack", seq=self._acked))
            self._acks.add(task)
            task.add_done_callback(self._acks.discard)

    async def send(self, **frame: Any) -> None:
        """Send a frame. Raises ConnectionClosed."""
        if self._socket is None:
            raise ConnectionError("not connected")
        if frame["op"] == "ping":
            self.ledger.says_ping()
        await self._socket.send(json.dumps(frame))

    async def try_send(self, **frame: Any) -> None:
        """Send a frame if there is a connection; a lost one is not an error."""
        try:
            await self.send(**frame)
        except (ConnectionError, ConnectionClosed):
            return

    def cut(self) -> None:
        """Drop the TCP connection abruptly (RST), as a lost network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    def wake(self) -> None:
        """Reconnect at once instead of after the delay, as a page does when it is shown again."""
        self._waking.set()
        self._waking = asyncio.Event()

    async def stop(self) -> None:
        """End, with a close frame when connected."""
        self._stopping = True
        self._waking.set()
        if self._socket is not None:
            await self._socket.close()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    async def wait_for(self, condition: Callable[[Ledger], bool], seconds: float, what: str) -> None:
        """Wait until `condition` is true for the ledger. Raises Breach, or what ended the client."""
        try:
            async with asyncio.timeout(seconds):
                while not condition(self.ledger):
                    if self.failure is not None:
                        raise self.failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise self.ledger.breach(
                f"{what}: not within {seconds:g} s (closes {self.closes[-3:]})"
            ) from None

    async def wait_live(self, seconds: float = 10) -> None:
        """Wait until it is connected and up to date."""
        await self.wait_for(lambda ledger: ledger.live, seconds, "live")

    async def wait_seq(self, seq: int, seconds: float = 10) -> None:
        """Wait until it has the log up to `seq`."""
        await self.wait_for(lambda ledger: (ledger.seq or 0) >= seq, seconds, f"seq {seq}")
