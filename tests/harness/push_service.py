"""A scripted push service: the endpoint's path says what it answers; what it takes it decrypts as a browser does."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@dataclass
class Browser:
    """One browser's subscription, with the keys that only it has."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def keys(self) -> dict[str, str]:
        """`p256dh` and `auth`, as `PushSubscription.toJSON()` has them."""
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": _text(point), "auth": _text(self.auth)}

    def json(self) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` returns."""
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": self.keys}

    def read(self, body: bytes) -> Any:
        """Decrypt a message, with another implementation than ours."""
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return json.loads(plain)


@dataclass
class Request:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """A service, and what came to it.

    `/ANSWER/NAME`, where ANSWER is a status, or `drop` (closed without an answer). `answers` overrides it.
    """

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    retry_after: str = "7200"

    @property
    def host(self) -> str:
        """What NOTIFIER_PUSH_HOSTS needs."""
        return f"127.0.0.1:{self.port}"

    def browser(self, answer: int | str = 201, name: str = "b") -> Browser:
        """A browser that is subscribed here."""
        return Browser(f"http://{self.host}/{answer}/{name}")

    def to(self, browser: Browser) -> list[Request]:
        """What came for one browser."""
        path = browser.endpoint.partition(self.host)[2]
        return [one for one in self.requests if one.path == path]


@contextmanager
def push_service() -> Iterator[PushService]:
    """Serve on a free port of this machine."""
    service = PushService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.requests.append(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = str(service.answers.get(self.path, self.path.split("/")[1]))
            if answer == "drop":
                self.close_connection = True
                return
            self.send_response(int(answer))
            if answer == "429":
                self.send_header("Retry-After", service.retry_after)
            if answer.startswith("3"):
                self.send_header("Location", f"http://{service.host}/201/elsewhere")
            if answer == "201":
                self.send_header("Location", "https://push.example/m/1")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
