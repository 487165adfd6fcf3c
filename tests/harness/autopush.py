"""A push service for a real Firefox: what Mozilla's does, on this machine (`dom.push.serverURL`).

It has two sides, as Mozilla's autopush has: browsers come by WebSocket and are given an endpoint for each subscription;
applications POST to endpoints (RFC 8030). A message is taken only with the VAPID token of the key that the browser
named when it subscribed (RFC 8292, section 4.2), and is handed to the browser as it came, encrypted.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Subscription:
    """One endpoint: whose it is, and the key that may send to it."""

    channel: str
    key: str
    browser: ServerConnection


@dataclass
class Autopush:
    """The service, and what came to it."""

    websocket_url: str = ""
    host: str = ""
    subscriptions: dict[str, Subscription] = field(default_factory=dict)  # path of the endpoint -> whose
    messages: list[dict[str, str]] = field(default_factory=list)  # the headers of each that was taken
    refused: list[str] = field(default_factory=list)
    acked: list[str] = field(
        default_factory=list
    )  # versions that a browser answered for, with its code (100: shown)
    forgotten: bool = False

    def follow(self, browser: ServerConnection) -> None:
        """Speak with one browser until it goes."""
        try:
            for text in browser:
                answer = self._answer(json.loads(text), browser)
                if answer is not None:
                    browser.send(json.dumps(answer))
        except ConnectionClosed:
            pass

    def _answer(self, said: dict[str, Any], browser: ServerConnection) -> dict[str, Any] | None:
        kind, channel = said.get("messageType"), said.get("channelID")
        if kind == "hello":
            known = None if self.forgotten else said.get("uaid")
            self.forgotten = False
            return {"messageType": kind, "uaid": known or secrets.token_hex(16), "status": 200,
                    "use_webpush": True, "broadcasts": {}}  # fmt: skip
        if kind == "register":
            path = f"/wpush/v2/{secrets.token_urlsafe(24)}"
            self.subscriptions[path] = Subscription(channel or "", said.get("key", ""), browser)
            return {"messageType": kind, "channelID": channel, "status": 200,
                    "pushEndpoint": f"http://{self.host}{path}"}  # fmt: skip
        if kind == "unregister":
            for path in [path for path, one in self.subscriptions.items() if one.channel == channel]:
                del self.subscriptions[path]
            return {"messageType": kind, "channelID": channel, "status": 200}
        if kind == "ack":
            self.acked += [f"{one['version']} {one['code']}" for one in said["updates"]]
        return {} if said == {} else None  # `{}` is a ping

    def forget(self) -> None:
        """Forget every browser: its subscriptions are gone, and it is told so when it comes back."""
        browsers = {id(one.browser): one.browser for one in self.subscriptions.values()}
        self.subscriptions.clear()
        self.forgotten = True
        for browser in browsers.values():
            browser.close()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        """Take a message for an endpoint, hand it on, and return the status."""
        found = self.subscriptions.get(path)
        if found is None:
            return 410
        if wrong := self._problem(headers, found):
            self.refused.append(wrong)
            return 401 if "vapid" in wrong else 400
        version = secrets.token_hex(8)
        self.messages.append(headers)
        found.browser.send(
            json.dumps({
                "messageType": "notification",
                "channelID": found.channel,
                "version": version,
                "ttl": int(headers["ttl"]),
                "data": _text(body),
                "headers": {"encoding": headers["content-encoding"]},
            })
        )  # fmt: skip
        return 201

    def _problem(self, headers: dict[str, str], subscription: Subscription) -> str | None:
        if headers.get("content-encoding") != "aes128gcm" or not headers.get("ttl", "").isdigit():
            return f"encoding or TTL: {headers}"
        given = dict(
            one.strip().split("=", 1) for one in headers["authorization"].removeprefix("vapid ").split(",")
        )
        if _bytes(given["k"]) != _bytes(subscription.key):
            return "vapid: another key than the browser subscribed with"
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(given["k"]))
        try:
            jwt.decode(
                given["t"],
                key,
                algorithms=["ES256"],
                audience=f"http://{self.host}",
                options={"require": ["exp"]},
            )
        except jwt.InvalidTokenError as exc:
            return f"vapid: {exc}"
        return None


@contextmanager
def autopush() -> Iterator[Autopush]:
    """Serve on two free ports of this machine."""
    service = Autopush()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = service.take(
                self.path, {name.lower(): value for name, value in self.headers.items()}, body
            )
            self.send_response(status)
            self.send_header("Location", f"http://{service.host}/m/{len(service.messages)}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    posts = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    browsers = serve(
        service.follow, "127.0.0.1", 0, subprotocols=[Subprotocol("push-notification")], compression=None
    )
    service.host = f"127.0.0.1:{posts.server_address[1]}"
    service.websocket_url = f"ws://127.0.0.1:{browsers.socket.getsockname()[1]}/"
    threads = [
        threading.Thread(target=posts.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
        threading.Thread(target=browsers.serve_forever, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield service
    finally:
        posts.shutdown()
        posts.server_close()
        browsers.shutdown()
        for thread in threads:
            thread.join(5)
