"""API keys of the backends: name, scopes, and the search for a given key. Pure.

An entry of NOTIFIER_API_KEYS is a plain key, which may do everything and sends as `system`, or
`name:scope+scope:key`. A bearer token has no colon in it (RFC 6750, section 2.1: b64token), so
neither can be taken for the other, and a typing error in a scope cannot become a key with all rights.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

Scope = Literal["send", "report", "admin"]
SCOPES: frozenset[str] = frozenset(get_args(Scope))
SYSTEM = "system"  # the default sender
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key.

    Attributes:
        secret: what the backend sends.
        name: its sender's name: the notification's `sender`, the frame's `from`.
        scopes: what it may do.
    """

    secret: str = field(repr=False)
    name: str = SYSTEM
    scopes: frozenset[str] = SCOPES

    @classmethod
    def parse(cls, entry: str) -> "ApiKey":
        """Return the key that `entry` of the setting describes. Raises ValueError, without the secret."""
        if ":" not in entry:
            return cls(entry)
        name, _, rest = entry.partition(":")
        scopes, _, secret = rest.partition(":")
        if not NAME.fullmatch(name) or not TOKEN.fullmatch(secret):
            raise ValueError(
                "an entry with a colon must be name:scope+scope:key (name and key without further colons)"
            )
        given = frozenset(scopes.split("+"))
        if not given <= SCOPES:
            raise ValueError(f"the scopes of {name!r} must be some of {'+'.join(get_args(Scope))}")
        return cls(secret, name, given)


class KeyRing:
    """The keys that are valid now. Several may have one name, so that a key can be replaced.

    Raises ValueError when two entries have the same secret, or one of them is malformed.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._keys = tuple(ApiKey.parse(entry) for entry in entries)
        if len({key.secret for key in self._keys}) < len(self._keys):
            raise ValueError("the same key is given twice")

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys)

    def find(self, given: str) -> ApiKey | None:
        """Return the key with this secret, in constant time."""
        sent = given.encode("utf-8", "surrogatepass")
        found = [key for key in self._keys if hmac.compare_digest(sent, key.secret.encode())]
        return found[0] if found else None
