"""Handle a standard output that is closed or full: one line and exit status 1, whatever is printed."""

import errno
import io
import os
import select
import sys

#: Errors of a write whose reason is the output itself.
FAULTS = {errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS}


class _Closed(io.RawIOBase):
    """A stream that fails as a closed descriptor does."""

    def writable(self) -> bool:
        """Return True: a write may be tried."""
        return True

    def write(self, _data: object) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "it is closed")


def prepare() -> None:
    """Give each closed standard stream a descriptor; otherwise the next opened file gets its number.

    A closed standard output then fails only when something is printed.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Closed()), encoding="utf-8")


def at_fault(exc: OSError) -> bool:
    """Return whether a write to standard output raised this error (an error of a file has a file name)."""
    return exc.filename is None and exc.errno in FAULTS


def reader_left() -> bool:
    """Whether standard output is a pipe whose reader has ended."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # POLLERR and POLLHUP are always reported
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
    except (OSError, ValueError):
        return False


def give_up() -> None:
    """Drop what could not be written; Python would try again when it exits, and print a warning."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        try:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        except (OSError, ValueError, io.UnsupportedOperation):
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
