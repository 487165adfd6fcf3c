"""A terminal client of `notifier.v1`, for `notifier tail`: reconnects and resumes by itself."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from simple_websocket import Client, ConnectionClosed, ConnectionError

from notifier.core.backoff import Backoff
from notifier.core.frames import SUBPROTOCOL
from notifier.core.text_output import terminal_json

BACKOFF_FIRST, BACKOFF_MAX = 0.5, 30.0  # seconds
PING = 20.0  # seconds of silence before a ping is sent, and again before the connection is given up
UNAUTHENTICATED, RESTARTING = 4401, 1012


def follow(url: str, token: Callable[[], str], *, after: int | None) -> Iterator[str]:
    """Yield each event frame as one JSON line, without end: in order, without a gap or a duplicate.

    With `after` None it begins with the next event. Stops when a fresh token is refused.
    """
    backoff = Backoff(BACKOFF_FIRST, BACKOFF_MAX)
    while True:
        wait = backoff.next_pause()
        try:
            socket = Client.connect(url, subprotocols=[SUBPROTOCOL])
            for frame in _listen(socket, token(), after):
                backoff.reset()
                if frame["op"] == "live":
                    after = frame["seq"]
                    _note(f"live at seq {after}")
                elif frame["op"] == "reset":
                    after = frame["seq"]
                    _note(f"reset ({frame['reason']}): continuing from seq {after}")
                elif frame["op"] == "event":
                    after = frame["seq"]
                    yield terminal_json(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))
        except ConnectionClosed as exc:
            if exc.reason == UNAUTHENTICATED:
                _note(f"refused: {exc.message}")
                return
            if exc.reason == RESTARTING:
                wait = _seconds(exc.message, wait)
            _note(f"closed with {exc.reason}, back in {wait:.1f} s")
        except (OSError, ConnectionError) as exc:
            _note(f"no connection ({exc}), again in {wait:.1f} s")
        time.sleep(wait)


def _listen(socket: Client, token: str, after: int | None) -> Iterator[dict[str, Any]]:
    hello = {"op": "hello", "token": token, "after": after}
    socket.send(json.dumps(hello))
    try:
        while True:
            text = socket.receive(timeout=PING)
            if text is None:
                socket.send('{"op":"ping"}')
                text = socket.receive(timeout=PING)
                if text is None:
                    raise OSError("the server does not answer")
            frame = json.loads(text)
            yield frame
            if frame["op"] in ("live", "event"):
                socket.send(json.dumps({"op": "ack", "seq": frame["seq"]}))
    finally:
        if socket.connected:
            socket.close()


def _seconds(text: str | None, default: float) -> float:
    try:
        return min(BACKOFF_MAX, float(text or ""))
    except ValueError:
        return default


def _note(text: str) -> None:
    print(f"notifier tail: {text}", file=sys.stderr, flush=True)  # noqa: T201
