"""A socket for simple tests, without asyncio: send anything, expect the next frame, expect the close."""

from __future__ import annotations

import json
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

PROTOCOL = "notifier.v1"
SECONDS = 10.0


class Socket:
    """A connected socket. Every wait has a deadline; one that fails shows what arrived instead."""

    def __init__(
        self,
        url: str,
        *,
        subprotocols: tuple[str, ...] = (PROTOCOL,),
        origin: str | None = None,
        deflate: bool = False,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        """Connect; `more` as websockets and socket.create_connection take it.

        Raises websockets' InvalidStatus when the upgrade is refused.
        """
        self._context = connect(
            url, subprotocols=[Subprotocol(name) for name in subprotocols] or None,
            origin=Origin(origin) if origin is not None else None, max_size=None, ping_interval=None,
            compression="deflate" if deflate else None, additional_headers=headers, open_timeout=SECONDS,
            close_timeout=2, proxy=None, **more,
        )  # fmt: skip
        self.raw: ClientConnection = self._context.__enter__()

    def send(self, frame: dict[str, Any] | str | bytes | None = None, **fields: Any) -> None:
        """Send a frame: an object as JSON, text and bytes unchanged."""
        if frame is None or isinstance(frame, dict):
            frame = json.dumps({**(frame or {}), **fields})
        self.raw.send(frame)

    def hello(self, token: str, after: int | None = None, **fields: Any) -> dict[str, Any]:
        """Say hello; return the welcome."""
        self.send(op="hello", token=token, after=after, **fields)
        return self.expect("welcome")

    def enter(self, token: str, after: int | None = None, **fields: Any) -> list[dict[str, Any]]:
        """Say hello and read until ``live``; return every frame, welcome and live included."""
        return [self.hello(token, after, **fields), *self.until("live")]

    def next(self, seconds: float = SECONDS) -> dict[str, Any]:
        """Return the next frame."""
        try:
            raw = self.raw.recv(timeout=seconds)
        except TimeoutError:
            raise AssertionError(f"no frame within {seconds:g} s") from None
        except ConnectionClosed as closed:
            raise AssertionError(f"closed instead of a frame: {closed}") from None
        assert isinstance(raw, str), f"a binary frame: {raw[:80]!r}"
        frame: dict[str, Any] = json.loads(raw)
        return frame

    def expect(self, op: str, seconds: float = SECONDS, **fields: Any) -> dict[str, Any]:
        """Return the next frame, which must be an `op` with at least these fields."""
        frame = self.next(seconds)
        assert frame["op"] == op, f"expected {op}, got {frame}"
        wrong = {name: frame.get(name) for name, value in fields.items() if frame.get(name) != value}
        assert not wrong, f"expected {fields}, got {frame}"
        return frame

    def until(self, op: str, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """Return every frame up to and including the next `op`."""
        frames = [self.next(seconds)]
        while frames[-1]["op"] != op:
            frames.append(self.next(seconds))
        return frames

    def nothing_before_pong(self) -> None:
        """Check that nothing is on its way: send a ping, and its pong is the next frame."""
        self.send(op="ping")
        self.expect("pong")

    def expect_close(self, code: int, seconds: float = SECONDS) -> str:
        """Read until the socket is closed, which must be with `code`; return the reason."""
        seen = []
        try:
            while True:
                seen.append(self.raw.recv(timeout=seconds))
        except TimeoutError:
            raise AssertionError(f"not closed within {seconds:g} s; got {seen[-3:]}") from None
        except ConnectionClosed as closed:
            end = closed.rcvd
        got, reason = (end.code, end.reason) if end else (None, "")
        assert got == code, f"expected close {code}, got {got} {reason!r}; before it {seen[-3:]}"
        return reason

    def close(self) -> None:
        """Close with a close frame."""
        self._context.__exit__(None, None, None)

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
