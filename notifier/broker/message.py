"""The message from a worker to the gateways: one committed change of one user's log."""

from dataclasses import dataclass

#: A message with this header is not an event: it only shows that the path from publisher to queue works.
PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Message:
    """An `event` frame for the gateways.

    Attributes:
        user_id: the owner of the log; becomes the routing key (see `topology`).
        seq: its seq in that log, repeated outside the body so that a gateway need not parse it.
        body: the encoded `event` frame, as every socket of the user gets it (UTF-8 JSON).
        before: frames of the events right before it that travel with it (`bundles`).
    """

    user_id: str
    seq: int
    body: bytes
    before: bytes = b""
