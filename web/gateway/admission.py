"""How many sockets may be open here: for one address, without having said who they are, and at all.

They are checked before the upgrade, so that a refusal is a 429 and costs little.
"""

import ipaddress
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from monitoring import metrics
from notifier.core.errors import OverLimit
from notifier.core.session import Principal

RETRY_AFTER = 5  # seconds
NO_LIMIT = 1 << 62
IPV6_SITE = 64  # bits; the addresses that a site has at least (RFC 6177)

Verify = Callable[[str], Principal]


@lru_cache(maxsize=4096)  # asked twice for each socket, and parsing an address is 2% of a connect
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
        unauthenticated: sockets without a hello with a valid token.
        sockets: sockets at all.
        handles: file handles that sockets may use; what is above is kept for the database and the broker.
    """

    def __init__(
        self,
        per_address: int,
        unauthenticated: int,
        *,
        sockets: int = NO_LIMIT,
        handles: Callable[[], int] = lambda: NO_LIMIT,
    ) -> None:
        self._per_address = per_address
        self._most_unauthenticated = unauthenticated
        self._most = sockets
        self._handles = handles
        self._addresses: Counter[str] = Counter()
        self._unauthenticated = 0
        self._open = 0

    def check(self, address: str | None, handle: int = 0) -> None:
        """Raise OverLimit when this address, those who have not said hello, or all have too many sockets.

        Args:
            address: the peer's.
            handle: the number of the socket's file descriptor. The system gives the lowest free one, so
                that it tells how many are in use.
        """
        if self._open >= self._most or handle >= self._handles():
            metrics.REFUSED["socket_capacity"].inc()
            raise OverLimit("this process has no place for another socket", RETRY_AFTER)
        if self._unauthenticated >= self._most_unauthenticated:
            metrics.REFUSED["socket_unauthenticated"].inc()
            raise OverLimit("too many sockets that have not said hello", RETRY_AFTER)
        if self._addresses[network(address)] >= self._per_address:
            metrics.REFUSED["socket_address"].inc()
            raise OverLimit(f"an address has at most {self._per_address} sockets here", RETRY_AFTER)

    def slot(self, address: str | None, verify: Verify) -> "SocketSlot":
        """Return the context that counts a socket while it is open."""
        return SocketSlot(self, network(address), verify)

    def enter(self, place: str) -> None:
        """Count a socket without a hello."""
        self._addresses[place] += 1
        self._open += 1
        self._unauthenticated += 1

    def known(self) -> None:
        """Note that a socket has said a valid hello, or has closed without one."""
        self._unauthenticated -= 1

    def leave(self, place: str) -> None:
        """Stop counting a socket."""
        self._open -= 1
        self._addresses[place] -= 1
        if not self._addresses[place]:
            del self._addresses[place]


class SocketSlot:
    """One socket's time here. It begins with `enter` and ends with `leave`."""

    __slots__ = ("_admission", "_known", "_place", "_verify")  # there are thousands

    def __init__(self, admission: Admission, place: str, verify: Verify) -> None:
        self._admission, self._place, self._verify = admission, place, verify
        self._known = False

    def enter(self) -> Verify:
        """Count the socket; return a `verify` which notices when it says who it is."""
        self._admission.enter(self._place)
        return self._verified

    def leave(self) -> None:
        """Stop counting it."""
        self._admission.leave(self._place)
        self._notice()

    def _verified(self, token: str) -> Principal:
        principal = self._verify(token)
        self._notice()
        return principal

    def _notice(self) -> None:
        if not self._known:
            self._known = True
            self._admission.known()
