"""Folders and files that only their owner may read, with any umask, for the embedded default."""

import os
from contextlib import suppress
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder (0700) and its missing parents; an existing one is not changed. Raises OSError."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        with suppress(FileExistsError):  # another process was quicker
            missing.mkdir(mode=0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def make_own_folder(folder: Path) -> None:
    """Make a private folder; close one that an earlier version left open. Raises OSError."""
    make_folder(folder)
    close_to_others(folder)


def make_file(file: str) -> None:
    """Make an empty file (0600) unless it exists. Errors are left to the code that opens it."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def close_to_others(path: Path) -> None:
    """Remove the rights of group and others from a file or folder, if this user owns it."""
    with suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(found.st_mode & 0o700)


def opener(path: str, flags: int) -> int:
    """Open a new file as 0600 (for `open(…, opener=…)`)."""
    return os.open(path, flags, 0o600)
