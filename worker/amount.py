"""The size of a transaction: smaller after a timeout, larger again after successes."""


class Amount:
    """A number from 1 to `full`.

    Args:
        full: the normal size.
    """

    def __init__(self, full: int) -> None:
        self._full = full
        self.now = full

    def halve(self) -> bool:
        """Halve the size; return False if it cannot be smaller."""
        if self.now == 1:
            return False
        self.now //= 2
        return True

    def grow(self) -> None:
        """Double the size after a success, up to the full size."""
        self.now = min(self._full, self.now * 2)
