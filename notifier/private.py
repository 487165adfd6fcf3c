"""Folders and files that only their owner may read, whatever the umask: what the embedded default keeps."""

import os
from contextlib import suppress
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder, 0700, and each missing parent; one that is there stays as it is. Raises OSError."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        with suppress(FileExistsError):  # another process was quicker
            missing.mkdir(mode=0o700)
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))


def make_own_folder(folder: Path) -> None:
    """Make a folder that is ours alone; one that an earlier version left open is closed. Raises OSError."""
    make_folder(folder)
    close_to_others(folder)


def make_file(file: str) -> None:
    """Make an empty file, 0600, unless there is one. What cannot be made, its opener complains of."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def close_to_others(path: Path) -> None:
    """Take the rights of group and others from a file or folder of this user; others' stay as they are."""
    with suppress(OSError):
        found = path.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077:
            path.chmod(found.st_mode & 0o700)


def opener(path: str, flags: int) -> int:
    """Open a new file as 0600 (for `open(…, opener=…)`)."""
    return os.open(path, flags, 0o600)
