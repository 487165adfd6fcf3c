"""Every error that this project raises on purpose, in one tree.

Each class has the HTTP status of the API's answer and the WebSocket close code of the gateway (RFC 6455,
section 7.4.2: 4000-4999 are for applications).

    NotifierError
    ├── SettingError          a setting is missing or wrong: the start stops
    ├── SchemaBeyondRepair    the database's tables belong to no known version: the start stops
    ├── InvalidInput          422  a rule of the contract is broken; says where and why
    │   ├── UnknownEvent      422  no event of that name is defined
    │   └── IdempotencyMismatch  422  the key or id was used before, with another body
    ├── NotJson               400
    ├── Unauthenticated       401 / 4401
    │   └── WrongCredentials  401 / 4401  they were never right: an unknown key, another signature
    ├── Forbidden             403 / 4403
    ├── NotFound              404
    ├── Conflict              409  what is asked does not fit the present state
    ├── OverLimit             429 / 4429
    ├── WrongDatabase         the session given is on another database than the service's
    ├── Unavailable           503  something we need is down; try again
    │   ├── DatabaseUnavailable
    │   │   ├── DatabaseTimeout    a statement took too long
    │   │   ├── DatabaseLocked     another transaction holds a lock
    │   │   ├── TablesMissing      the database has not been migrated
    │   │   └── TimelineChanged    the database writes another timeline (models/store/log_base.py)
    │   └── BrokerUnavailable
    └── SocketRefused         the gateway closes this socket
        ├── BadFrame          4400
        ├── FrameTooBig       1009
        ├── HelloTimeout      4408
        ├── TooSlow           4410
        ├── TooMany           4429
        └── Restarting        1012
"""

from collections.abc import Sequence
from typing import ClassVar, Self, TypedDict


class Problem(TypedDict):
    """One broken rule: where (`loc`, a path of names and indexes) and what is wrong (`msg`)."""

    loc: list[str | int]
    msg: str


MAX_PROBLEMS = 20  # that an error lists; its last line has the number of further ones
MAX_DETAIL = 512  # characters of a problem's message
MAX_LOC = 8  # parts of a place
MAX_PART = 64  # characters of one of them


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def bounded(problems: Sequence[Problem]) -> list[Problem]:
    """Return the first of `problems`, with text of callers cut, so that an error stays small."""
    kept: list[Problem] = [
        {
            "loc": [_cut(part, MAX_PART) if isinstance(part, str) else part for part in one["loc"][:MAX_LOC]],
            "msg": _cut(one["msg"], MAX_DETAIL),
        }
        for one in problems[:MAX_PROBLEMS]
    ]
    if more := len(problems) - len(kept):
        kept.append({"loc": [], "msg": f"and {more} more"})
    return kept


class NotifierError(Exception):
    """Something went wrong that the caller can act on."""

    status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title


class SettingError(NotifierError):
    """A setting is missing or wrong."""

    title = "Wrong setting"


class SchemaBeyondRepair(NotifierError):
    """The database's tables belong to no known version."""

    title = "Schema beyond repair"


class InvalidInput(NotifierError):
    """The input is JSON, but breaks a rule."""

    status = 422
    close_code = 4400
    title = "Invalid input"

    def __init__(self, detail: str = "", problems: Sequence[Problem] = ()) -> None:
        kept = bounded(problems)
        if not detail and kept:
            detail = f"{'.'.join(map(str, kept[0]['loc']))}: {kept[0]['msg']}"
        super().__init__(_cut(detail, MAX_DETAIL))
        self.problems: list[Problem] = kept or [{"loc": [], "msg": self.detail}]

    def at(self, place: int) -> Self:
        """Return the same error for the item at that place of a list: every `loc` begins with it."""
        problems: list[Problem] = [{**one, "loc": [place, *one["loc"]]} for one in self.problems]
        return type(self)(problems=problems)


class UnknownEvent(InvalidInput):
    """No event of that name is defined."""

    title = "Unknown event"


class IdempotencyMismatch(InvalidInput):
    """The idempotency key or the id was used before, with another body."""

    title = "Idempotency mismatch"


class NotJson(NotifierError):
    """The body is not JSON."""

    status = 400
    title = "Not JSON"


class Unauthenticated(NotifierError):
    """The credentials are missing, wrong or expired."""

    status = 401
    close_code = 4401
    title = "Unauthenticated"


class WrongCredentials(Unauthenticated):
    """The credentials were never valid: malformed, an unknown key, or signed with another key."""


class Forbidden(NotifierError):
    """The credentials are valid, but do not give this right."""

    status = 403
    close_code = 4403
    title = "Forbidden"


class NotFound(NotifierError):
    """There is no such thing here."""

    status = 404
    title = "Not found"


class Conflict(NotifierError):
    """What is asked for does not fit the present state."""

    status = 409
    title = "Conflict"


class OverLimit(NotifierError):
    """Too many of something; the same call may work after `retry_after` seconds."""

    status = 429
    close_code = 4429
    title = "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class WrongDatabase(NotifierError):
    """The session given is on a database that the service does not read."""

    title = "Wrong database"


class Unavailable(NotifierError):
    """Something we need is down; the same call may work in a moment."""

    status = 503
    close_code = 1012
    title = "Unavailable"
    retry_after: ClassVar[int] = 2  # seconds, for the Retry-After header


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or refuses all work: read-only, full, no permission."""

    title = "Database unavailable"


class DatabaseTimeout(DatabaseUnavailable):
    """A statement took too long; less work at once may succeed."""


class DatabaseLocked(DatabaseUnavailable):
    """Another transaction held a lock (on SQLite: was writing) for longer than the wait."""

    title = "Database locked"


class TablesMissing(DatabaseUnavailable):
    """The database has none of our tables, or not all of them."""

    title = "Tables missing"


class TimelineChanged(DatabaseUnavailable):
    """The database writes another timeline: all logs must continue from a new base first."""

    title = "Database changed over"


class BrokerUnavailable(Unavailable):
    """The broker cannot be reached."""

    title = "Broker unavailable"


class SocketRefused(NotifierError):
    """The gateway closes this socket."""


class BadFrame(SocketRefused):
    """The protocol does not allow this frame here."""

    close_code = 4400
    title = "Bad frame"


class FrameTooBig(SocketRefused):
    """The frame is over 64 KiB."""

    close_code = 1009
    title = "Frame too big"


class HelloTimeout(SocketRefused):
    """No hello came in time."""

    close_code = 4408
    title = "No hello in time"


class TooSlow(SocketRefused):
    """The reader read nothing for too long."""

    close_code = 4410
    title = "Too slow"


class TooMany(SocketRefused):
    """Too many frames or sockets."""

    close_code = 4429
    title = "Too many frames or sockets"


class Restarting(SocketRefused):
    """The server restarts; the reason is the number of seconds after which to reconnect."""

    close_code = 1012
    title = "Restarting"
