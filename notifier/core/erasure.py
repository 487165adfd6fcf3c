"""Recognise an erased user by a hash of the id. Pure. See docs/adr/0035-erasure.md."""

import hashlib
from typing import Final

#: What is hashed before the id.
PURPOSE: Final = b"notifier erased user\x00"


def user_hash(user_id: str) -> str:
    """Return the hash by which an erased user's id is recognised, 64 characters."""
    return hashlib.sha256(PURPOSE + user_id.encode()).hexdigest()
