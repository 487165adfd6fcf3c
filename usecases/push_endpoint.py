"""Which push endpoints this service talks to. Pure.

An endpoint comes from a browser, so from anybody: without a list of hosts, this service could be made to send
requests into its own network.
"""

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

MAX_ENDPOINT = 2_000  # characters


def problem(endpoint: str, hosts: Sequence[str]) -> str | None:
    """Return what is wrong with an endpoint; None: nothing.

    Args:
        endpoint: its URL.
        hosts: a host, `.example.com` for all below it, or `host:port`, which may be plain http.
    """
    if (
        len(endpoint) > MAX_ENDPOINT
        or not endpoint.isascii()
        or not endpoint.isprintable()
        or " " in endpoint
    ):
        return "must be a URL of ASCII characters"
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return "must be a URL"
    if parts.username is not None or parts.password is not None or "\\" in endpoint or "#" in endpoint:
        return "must be a URL without a user, a password and a fragment"
    if port is not None and f"{host}:{port}" in hosts and parts.scheme in ("http", "https"):
        return None
    if parts.scheme != "https":
        return "must be an https:// URL"
    if _is_address(host):
        return "must name its host"
    if port not in (None, 443) or not any(_matches(host, wanted) for wanted in hosts):
        return "is not at a known push service"
    return None


def may_be_private(endpoint: str, hosts: Sequence[str]) -> bool:
    """Whether an endpoint's host is listed with its port: then it may be on a private network."""
    parts = urlsplit(endpoint)
    return parts.port is not None and f"{(parts.hostname or '').lower()}:{parts.port}" in hosts


def _matches(host: str, wanted: str) -> bool:
    return host.endswith(wanted) and len(host) > len(wanted) if wanted.startswith(".") else host == wanted


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # Also the forms that resolvers take for addresses: 127.1, 0x7f000001, 2130706433.
        last = host.rstrip(".").rpartition(".")[2]
        return not last or last.isdigit() or last.startswith("0x")
    return True
