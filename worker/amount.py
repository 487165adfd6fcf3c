"""How much one transaction takes on: less after it took too long, more again when it goes well."""


class Amount:
    """A number from 1 to `full`.

    Args:
        full: what is taken on as a rule.
    """

    def __init__(self, full: int) -> None:
        self._full = full
        self.now = full

    def halve(self) -> bool:
        """Take on half as much from now on; False: it cannot be less."""
        if self.now == 1:
            return False
        self.now //= 2
        return True

    def grow(self) -> None:
        """It went well: take on twice as much again, up to the full amount."""
        self.now = min(self._full, self.now * 2)
