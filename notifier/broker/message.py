"""What travels from a worker to the gateways: one committed change of one user's log."""

from dataclasses import dataclass

#: A message with this header is not an event: it only shows that its way from publisher to queue is whole.
PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Message:
    """One `event` frame on its way.

    Attributes:
        user_id: whose log it is; becomes the routing key (see `topology`).
        seq: its place in that log, repeated outside the body so that a gateway need not parse it.
        body: the encoded `event` frame, as every socket of the user gets it (UTF-8 JSON).
    """

    user_id: str
    seq: int
    body: bytes
