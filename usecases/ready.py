"""Let a process that `notifier up` started say that it serves, through a pipe that it has inherited.

An open port does not prove it: another program may have taken it first.
"""

import contextlib
import os

PIPE = "NOTIFIER_READY_PIPE"  # the descriptor to write to; set by `notifier up`, not a setting


def tell() -> None:
    """Say it, if somebody waits for it; once for each process."""
    if number := os.environ.pop(PIPE, ""):
        with contextlib.suppress(OSError, ValueError):
            os.write(int(number), b"1")
            os.close(int(number))


class ReadyPipe:
    """The end that waits."""

    def __init__(self) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)

    @property
    def environ(self) -> dict[str, str]:
        """What the process that serves needs in its environment, with `write_end` inherited."""
        return {PIPE: str(self.write_end)}

    def told(self) -> bool:
        """Return whether it has been said since the last call."""
        try:
            return bool(os.read(self._read, 1))
        except BlockingIOError:
            return False
