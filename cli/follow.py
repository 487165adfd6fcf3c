"""A terminal client of `notifier.v1`, for `notifier tail`: reconnects and resumes by itself."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from simple_websocket import Client, ConnectionClosed, ConnectionError

from notifier.core.backoff import Backoff
from notifier.core.errors import InvalidInput, Unauthenticated
from notifier.core.frames import SUBPROTOCOL
from notifier.core.text_output import iso_time, printable, terminal_json

BACKOFF_FIRST, BACKOFF_MAX = 0.5, 30.0  # seconds
PING = 20.0  # seconds of silence before a ping is sent, and again before the connection is given up
LOOK = 1.0  # seconds between two looks whether somebody still reads
UNAUTHENTICATED, RESTARTING = 4401, 1012


def follow(
    url: str, token: Callable[[], str], *, after: int | None, window: bool, ended: Callable[[], bool]
) -> Iterator[str]:
    """Yield each event frame as one JSON line, without end: in order, without a gap or a duplicate.

    With `after` None it begins with the window, the newest unread entries, and goes on with the next event.

    Args:
        url: the gateway's address.
        token: makes a fresh user token.
        after: the seq to resume after.
        window: yield the window's `item` frames too; otherwise they are notes, a line each.
        ended: asked every second whether nobody reads any more; then it stops.

    Raises:
        Unauthenticated: a fresh token is refused.
        InvalidInput: the address is not one of a WebSocket.
    """
    if urlsplit(url).scheme not in ("ws", "wss"):
        raise InvalidInput(problems=[{"loc": ["url"], "msg": "must begin with ws:// or wss://"}])
    backoff = Backoff(BACKOFF_FIRST, BACKOFF_MAX)
    while True:
        wait = backoff.next_pause()
        try:
            socket = Client.connect(url, subprotocols=[SUBPROTOCOL])
            for frame in _listen(socket, token(), after, ended):
                backoff.reset()
                if frame["op"] in ("live", "reset", "event"):
                    after = frame["seq"]
                if frame["op"] == "event" or (window and frame["op"] == "item"):
                    yield terminal_json(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
                elif note := _told(frame):
                    _note(note)
        except ConnectionClosed as exc:
            if exc.reason == UNAUTHENTICATED:
                raise Unauthenticated(
                    f"the gateway refused the token: {printable(exc.message or '')}"
                ) from None
            if exc.reason == RESTARTING:
                wait = _seconds(exc.message, wait)
            _note(f"closed with {exc.reason}, back in {wait:.1f} s")
        except (OSError, ConnectionError) as exc:
            _note(f"no connection ({exc}), again in {wait:.1f} s")
        else:
            return  # nobody reads any more
        time.sleep(wait)


def _listen(
    socket: Client, token: str, after: int | None, ended: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """Yield each frame; end when the reader of standard output is gone."""
    hello = {"op": "hello", "token": token, "after": after}
    socket.send(json.dumps(hello))
    try:
        silent = 0.0
        while not ended():
            text = socket.receive(timeout=LOOK)
            if text is None:
                silent += LOOK
                if silent == PING:
                    socket.send('{"op":"ping"}')
                elif silent >= 2 * PING:
                    raise OSError("the server does not answer")
                continue
            silent = 0.0
            frame = json.loads(text)
            yield frame
            if frame["op"] in ("live", "event"):
                socket.send(json.dumps({"op": "ack", "seq": frame["seq"]}))
    finally:
        if socket.connected:
            socket.close()


def _told(frame: dict[str, Any]) -> str:
    """Return a frame that is not an event as a short line."""
    if frame["op"] == "live":
        return f"live at seq {frame['seq']}"
    if frame["op"] == "reset":
        return f"reset ({frame['reason']}): continuing from seq {frame['seq']}"
    if frame["op"] == "item":
        at = datetime.fromtimestamp(frame["timestamp"] / 1000, UTC)
        title = frame["data"].get("title") or frame["event"]
        return f"unread: seq {frame['seq']} {iso_time(at)} {printable(title)}"
    return ""


def _seconds(text: str | None, default: float) -> float:
    try:
        return min(BACKOFF_MAX, float(text or ""))
    except ValueError:
        return default


def _note(text: str) -> None:
    print(f"notifier tail: {text}", file=sys.stderr, flush=True)  # noqa: T201
