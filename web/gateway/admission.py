"""How many sockets may be open here: for one address, and without having said who they are.

Asked before the upgrade, so that a refusal is a 429 and costs little.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from notifier import metrics
from notifier.errors import OverLimit
from notifier.session import Principal

RETRY_AFTER = 5  # seconds
IPV6_SITE = 64  # bits; a site has at least so many addresses of its own (RFC 6177)

Verify = Callable[[str], Principal]


def network(address: str | None) -> str:
    """Return what counts as one address: an IPv4 address, an IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or ""
    if parsed.version == 6:
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed, IPV6_SITE), strict=False))
    return str(parsed)


class Admission:
    """Counts the sockets of this process.

    Args:
        per_address: sockets of one address.
        unauthenticated: sockets that have not said a hello with a good token.
    """

    def __init__(self, per_address: int, unauthenticated: int) -> None:
        self._per_address = per_address
        self._most_unauthenticated = unauthenticated
        self._addresses: Counter[str] = Counter()
        self._unauthenticated = 0

    def check(self, address: str | None) -> None:
        """Raise OverLimit when there is no room for another socket of this address."""
        if self._unauthenticated >= self._most_unauthenticated:
            metrics.REFUSED["socket_unauthenticated"].inc()
            raise OverLimit("too many sockets that have not said hello", RETRY_AFTER)
        if self._addresses[network(address)] >= self._per_address:
            metrics.REFUSED["socket_address"].inc()
            raise OverLimit(f"an address has at most {self._per_address} sockets here", RETRY_AFTER)

    @contextmanager
    def visit(self, address: str | None, verify: Verify) -> Iterator[Verify]:
        """Count a socket while it is open; yields a `verify` that notices when it says who it is."""
        place, known = network(address), False
        self._addresses[place] += 1
        self._unauthenticated += 1

        def verified(token: str) -> Principal:
            nonlocal known
            principal = verify(token)
            if not known:
                known = True
                self._unauthenticated -= 1
            return principal

        try:
            yield verified
        finally:
            self._addresses[place] -= 1
            if not self._addresses[place]:
                del self._addresses[place]
            if not known:
                self._unauthenticated -= 1
