"""One channel in a worker: its free threads, its pause, and one call of it."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from notifier.channels import Channel, Message, Result, Retry

log = logging.getLogger(__name__)

PAUSE_FIRST, PAUSE_LONGEST = 60.0, 3_600.0  # seconds that a channel pauses after a 401 or 403


@dataclass(slots=True)
class Lane:
    """One channel: its free threads, and whether it pauses."""

    channel: Channel
    threads: int
    busy: int = 0
    hosts: Counter[str] = field(default_factory=Counter)
    paused_until: float = 0.0
    pause: float = PAUSE_FIRST
    more: bool = True  # whether something may be due


def attempt(channel: Channel, message: Message) -> Result:
    """Call a channel; an exception or an invalid result counts as Retry."""
    try:
        result: object = channel.send(message)
    except Exception as exc:  # noqa: BLE001  it is somebody else's code
        log.warning("channel %s raised: %s: %s", message.channel, type(exc).__name__, exc)
        return Retry(reason=f"{type(exc).__name__}: {exc}"[:300])
    if not isinstance(result, Result):
        log.warning("channel %s returned an invalid result: %s", message.channel, type(result).__name__)
        return Retry(reason=f"the channel answered {type(result).__name__}")
    return result


def host(address: str) -> str:
    """Return the key of the limit for each host: a URL's scheme and host; empty for other addresses."""
    if not address.startswith(("https://", "http://")):
        return ""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"
