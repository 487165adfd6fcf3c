"""Limit wrong credentials from one address, so that an API key cannot be guessed.

Over the limit an address gets 429 with right and with wrong credentials, and so learns nothing more. Two
kinds are still accepted: a key that was right from there before, so that others behind the same address
cannot lock a backend out, and a valid user token, because a signature cannot be guessed. A token that has
expired or is revoked was valid once, and is not counted.
"""

from collections import OrderedDict

from monitoring import metrics
from notifier.core.errors import OverLimit
from web.gateway.admission import network
from web.limits import MAX_NAMES, SlidingWindow


class GuessLimit:
    """Counts wrong credentials by address.

    Args:
        limit: for one address within a minute.
    """

    def __init__(self, limit: int) -> None:
        self._window = SlidingWindow(limit)
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, address: str | None, secret: str | None = None) -> None:
        """Raise OverLimit if the address has no attempt left, unless `secret` was right from there before."""
        place = network(address)
        if self._window.left(place) or (secret is not None and (place, secret) in self._right):
            return
        metrics.REFUSED["credentials"].inc()
        raise OverLimit("too many wrong credentials from this address", self._window.wait(place))

    def right(self, address: str | None, secret: str) -> None:
        """Note that the key `secret` was given from there."""
        known = (network(address), secret)
        self._right[known] = None
        self._right.move_to_end(known)
        if len(self._right) > MAX_NAMES:
            self._right.popitem(last=False)

    def wrong(self, address: str | None) -> None:
        """Count wrong credentials."""
        self._window.take(network(address))
