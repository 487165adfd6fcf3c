"""Keep the body of compressed messages unchanged, so that they can be rejected by their header.

kombu inflates a body when it makes the message, before it can be checked (kombu/message.py,
`Message.__init__`): 242 bytes of bz2 become 300 MB. No producer of our tasks needs compression.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import kombu.message

COMPRESSION = "compression"  # the header in which kombu names the method


class _AsItCame(kombu.message.Message):
    """Hides the header from kombu while it makes the message."""

    def __init__(self, *, headers: Any = None, **more: Any) -> None:
        shown = {name: value for name, value in (headers or {}).items() if name != COMPRESSION}
        super().__init__(headers=shown, **more)  # type: ignore[no-untyped-call]
        self.headers = headers or {}


@cache
def as_it_came(kind: type) -> type:
    """Return a transport's class of messages that does not inflate.

    The transport's own class comes first and calls `super().__init__`, which is then ours.
    """
    return type(kind.__name__, (kind, _AsItCame), {})


def compressed(headers: Any) -> bool:
    """Return whether a message's header says that its body is compressed."""
    return isinstance(headers, Mapping) and bool(headers.get(COMPRESSION))
