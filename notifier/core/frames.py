"""The frames of `notifier.v1`: JSON text, each with `op` (docs/contract.md#6-websocket).

Client frames are parsed here into small types; server frames are written here. Unknown fields of
a client frame are ignored, so that a newer client can talk to an older server.
"""

from typing import Annotated, Any, Final, Literal, get_args

import orjson
from pydantic import (
    BaseModel,
    Field,
    StrictInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from notifier.core.errors import BadFrame, FrameTooBig
from notifier.core.log import Entry, Item, Snapshot

SUBPROTOCOL: Final = "notifier.v1"
MAX_FRAME: Final = 64 * 1024  # bytes
MAX_IDS: Final = 1_000  # ids in one change of state
MAX_UNTIL: Final = 253_402_300_799_999  # the end of the year 9999

Seq = Annotated[StrictInt, Field(ge=0, le=2**63 - 1)]
NotificationId = Annotated[
    str,
    StringConstraints(
        # The pattern is checked before the conversion to lower case.
        pattern=r"^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
        to_lower=True,
    ),
]
Ids = Annotated[list[NotificationId], Field(min_length=1, max_length=MAX_IDS)]
#: Milliseconds since 1970 UTC; the 400 days ahead are the use case's to check, which knows the present.
Until = Annotated[StrictInt, Field(ge=0, le=MAX_UNTIL)]
#: An empty or missing token is an authentication failure (4401), not a broken frame (4400).
Token = Annotated[str, StringConstraints(max_length=8_192)]


class Hello(BaseModel):
    """The first frame: the user's token, and the seq up to which the client has the log."""

    op: Literal["hello"]
    token: Token = ""
    after: Seq | None = None
    device: (
        Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] | None
    ) = None


class Ack(BaseModel):
    """Everything that this socket was sent, up to `seq`, has reached the device."""

    op: Literal["ack"]
    seq: Seq


class Read(BaseModel):
    """Mark entries as read, by `ids` or all up to `through`."""

    op: Literal["read"]
    ids: Ids | None = None
    through: Seq | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "Read":
        if (self.ids is None) == (self.through is None):
            raise ValueError("needs exactly one of ids and through")
        return self


class Unread(BaseModel):
    """Mark entries as unread."""

    op: Literal["unread"]
    ids: Ids


class Archive(BaseModel):
    """Put entries into the archive."""

    op: Literal["archive"]
    ids: Ids


class Seen(BaseModel):
    """Everything up to `through` was on the screen."""

    op: Literal["seen"]
    through: Seq


class Snooze(BaseModel):
    """Take entries out of the inbox until a time."""

    op: Literal["snooze"]
    ids: Ids
    until: Until


class Unsnooze(BaseModel):
    """Bring snoozed entries back now."""

    op: Literal["unsnooze"]
    ids: Ids


class Auth(BaseModel):
    """A fresh token, before the old one ends."""

    op: Literal["auth"]
    token: Token


class Ping(BaseModel):
    """A question whether the server answers."""

    op: Literal["ping"]


ClientFrame = Hello | Ack | Read | Unread | Archive | Seen | Snooze | Unsnooze | Auth | Ping
#: The ops that this server knows: what `welcome` tells the client.
OPS: Final = tuple(frame.model_fields["op"].annotation.__args__[0] for frame in get_args(ClientFrame))
_client_frame: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="op")])


def parse(frame: str | bytes) -> ClientFrame:
    """Return the client's frame.

    Raises FrameTooBig over 64 KiB, and BadFrame for a binary frame, for what is not JSON, for an
    unknown op and for a broken rule.
    """
    if not isinstance(frame, str):
        raise BadFrame("binary frames are not part of notifier.v1")
    raw = frame.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_FRAME:
        raise FrameTooBig(f"a frame has at most {MAX_FRAME} bytes")
    try:
        value = orjson.loads(raw)
    except ValueError:
        raise BadFrame("not JSON") from None
    try:
        return _client_frame.validate_python(value)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BadFrame(f"{place}: {message}".removeprefix(": ")) from None


def room(user_id: str) -> str:
    """Return the name of a user's personal room."""
    return f"user:{user_id}"


def _dump(frame: dict[str, Any]) -> bytes:
    return orjson.dumps(frame)


def _body(user_id: str, of: Entry | Item) -> dict[str, Any]:
    return {
        "seq": of.seq,
        "event": of.event,
        "room": room(user_id),
        "from": of.sender,
        "timestamp": of.timestamp,
        "data": of.data,
    }


def event(user_id: str, entry: Entry) -> bytes:
    """Return the `event` frame of a log entry, as it happened."""
    frame = {"op": "event", **_body(user_id, entry), "unread": entry.unread}
    if entry.id is not None:
        frame["id"] = entry.id
        if not entry.inbox and entry.event != "badge":
            frame["inbox"] = False  # says that a defined event is not an inbox entry
        frame |= _more(entry)
        if entry.quiet:
            frame["quiet"] = True
    return _dump(frame)


def _more(of: Entry | Item) -> dict[str, Any]:
    """Return the fields that are there where they apply only."""
    more: dict[str, Any] = {}
    if of.collapsed is not None:
        more["collapsed"] = of.collapsed
    if of.returned:
        more["returned"] = True
    if of.category is not None:
        more["category"] = of.category
    if of.version is not None:
        more["version"] = of.version
    return more


def item(user_id: str, entry: Item) -> bytes:
    """Return the `item` frame of a window entry, in its present state."""
    state = {"read_at": entry.read_at, "archived_at": entry.archived_at}
    return _dump({"op": "item", **_body(user_id, entry), "id": entry.id, **state, **_more(entry)})


def item_json(entry: Item) -> dict[str, Any]:
    """Return an inbox entry as the HTTP API writes it (docs/contract.md#5-http)."""
    body = {
        "id": entry.id,
        "seq": entry.seq,
        "event": entry.event,
        "data": entry.data,
        "from": entry.sender,
        "timestamp": entry.timestamp,
        "read_at": entry.read_at,
        "archived_at": entry.archived_at,
        **_more(entry),
    }
    return body if entry.snoozed_until is None else {**body, "snoozed_until": entry.snoozed_until}


def welcome(user_id: str, at: Snapshot, ping_interval: float, now: float | None = None) -> bytes:
    """Return the answer to a hello.

    `now` (seconds since 1970, the server's clock) lets a client with a wrong clock show right times.
    """
    frame = {
        "op": "welcome",
        "user_id": user_id,
        **_position(at),
        "ping_interval": ping_interval,
        "ops": OPS,
    }
    return _dump(frame if now is None else {**frame, "now": round(now * 1000)})


def reset(reason: str, at: Snapshot) -> bytes:
    """Return the frame that tells a client to drop its state; a new window follows."""
    return _dump({"op": "reset", "reason": reason, **_position(at)})


def _position(at: Snapshot) -> dict[str, Any]:
    return {
        "seq": at.head,
        "unread": at.unread,
        "badges": at.badges,
        "seen": at.seen,
        "unseen": at.unseen,
    }


def live(seq: int) -> bytes:
    """Return the frame that says that everything up to `seq` has been sent."""
    return _dump({"op": "live", "seq": seq})


def pong() -> bytes:
    """Return the answer to a ping."""
    return b'{"op":"pong"}'


def error(code: str, message: str) -> bytes:
    """Return the frame that says that a request was not done; the socket stays open."""
    return _dump({"op": "error", "code": code, "message": message})
