"""A secret of the embedded default: made on first use and kept in a private file."""

import os
import secrets
from pathlib import Path

from notifier.core.errors import SettingError
from notifier.private import make_folder


def read_or_make(path: Path, setting: str, size: int) -> str:
    """Return the secret in a file, which is made if it is not there, mode 0600.

    Args:
        path: the file.
        setting: what an error names.
        size: random bytes of a new one; characters that it must have at least.

    Raises:
        OSError: the file, or its folder, cannot be read or made.
        SettingError: the file is cut short.
    """
    make_folder(path.parent)
    if not path.exists():
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(size) + "\n")
        try:
            os.link(fresh, path)  # atomic: of two processes that start at once, one wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    kept = path.read_text().strip()
    if len(kept) < size:
        raise SettingError(f"{setting}: {path} is cut short; remove it, and a new one is created")
    return kept
