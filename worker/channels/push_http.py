"""One POST to a push service: no redirect, no private address, and an end in time."""

import http.client
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from usecases.push_endpoint import may_be_private

TIMEOUT = 15.0  # seconds for each wait
MAX_ANSWER = 2_000  # bytes that are read of an answer


class PrivateAddress(Exception):
    """The host's name leads to an address that is not public."""


class NoAnswer(Exception):
    """The request was sent, but the answer did not come."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a push service."""

    status: int
    retry_after: str | None
    location: str | None
    text: str


def post(
    endpoint: str, body: bytes, headers: Mapping[str, str], hosts: Sequence[str], timeout: float = TIMEOUT
) -> Answer:
    """Send a request and return the answer, whatever its status.

    Raises:
        PrivateAddress: the name leads into a private network.
        NoAnswer: it may have been taken.
        OSError, http.client.HTTPException: it was certainly not taken.
    """
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = _address(host, port, private=may_be_private(endpoint, hosts))
    raw = socket.create_connection(address, timeout)
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.sock = _tls(raw, host) if parts.scheme == "https" else raw
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        try:
            answer = connection.getresponse()
            text = answer.read(MAX_ANSWER).decode(errors="replace")
        except (OSError, http.client.HTTPException) as exc:
            raise NoAnswer(f"{type(exc).__name__}: {exc}") from exc
    finally:
        connection.close()
        raw.close()
    return Answer(answer.status, answer.getheader("Retry-After"), answer.getheader("Location"), text)


def _address(host: str, port: int, *, private: bool) -> tuple[str, int]:
    """Return the address to connect to: looked at, and not looked up again (DNS rebinding)."""
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not private and not ip_address(str(address).partition("%")[0]).is_global:
            raise PrivateAddress(f"{host} leads to {address}")
    return str(found[0]), port


def _tls(raw: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(raw, server_hostname=host)
