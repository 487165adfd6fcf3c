"""Channels: how a notification reaches somebody who is not there.

A channel is an object with one method, `send`. `define_channel` makes it known, in a module that the service
imports (NOTIFIER_EVENTS). The inbox is not a channel.
See docs/contract.md#10-channels-to-those-who-are-not-there.

    from notifier.channels import Message, Refused, Retry, Sent, define_channel

    class Sms:
        def send(self, message: Message) -> Sent | Retry | Refused: ...

    define_channel("sms", Sms())
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
EMAIL, PUSH = "email", "push"
BUILT_IN = frozenset({EMAIL, PUSH})
RESERVED = BUILT_IN | {"inbox"}


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it.

    Attributes:
        provider_id: its own name for it, for questions to the provider; None: it gave none.
    """

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """The provider certainly did not take it, and may later.

    Attributes:
        after: seconds that it asked to wait; None: the service's own backoff decides.
        reason: why, for operators.
    """

    after: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """The address is no longer there: it is switched off, until somebody sets it again."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """This message is not taken, and never will be; the address may be good."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can know whether the provider took it: its answer did not come.

    NOTIFIER_UNKNOWN says whether it is tried again.
    """

    reason: str = ""


Result = Sent | Retry | Gone | Refused | Unknown


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification of a message.

    Attributes:
        id: the notification's id.
        event: its event's name.
        data: its event's data.
        category: the name of its category.
        accepted_at: when it was accepted.
        expires_at: when it is of no more use; None: never.
        collapse_key: what it replaces an earlier one by; None: nothing.
        reach_id: the number of its row (`notifier_reach`).
    """

    id: str
    event: str
    data: Mapping[str, Any]
    category: str
    accepted_at: datetime
    expires_at: datetime | None = None
    collapse_key: str | None = None
    reach_id: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel carries to one address.

    Attributes:
        channel: the channel's name.
        address: where to, as it was set.
        user_id: whose address it is.
        entries: the notifications, newest first: one, or those of a digest, 10 at most.
        total: how many the digest has in all.
        categories: the categories of all of them.
        required: whether the recipient could not have switched it off.
        digest: `hourly`, `daily` or `weekly`; None: it is one notification, at once.
        attempt: 1 for the first.
        keys: what else the address has, for example a push subscription's `p256dh` and `auth`.
        name, locale, timezone: the recipient's, as far as they are known.
    """

    channel: str
    address: str
    user_id: str
    entries: tuple[Entry, ...]
    total: int = 1
    categories: tuple[str, ...] = ()
    required: bool = False
    digest: str | None = None
    attempt: int = 1
    keys: Mapping[str, str] | None = None
    name: str | None = None
    locale: str | None = None
    timezone: str | None = None

    @property
    def entry(self) -> Entry:
        """The only notification, or the newest of a digest."""
        return self.entries[0]

    @property
    def id(self) -> str:
        """A name that is the same on every attempt: for a provider that takes an idempotency key."""
        return f"{self.entry.id}.{self.entry.reach_id}"


class Channel(Protocol):
    """Carries messages to addresses. `send` is called from several threads at once."""

    def send(self, message: Message) -> Result:
        """Hand the message to the provider and say what became of it, within 30 seconds.

        Whatever it raises, and whatever else it returns, counts as `Retry()`.
        """


_channels: dict[str, Channel] = {}


def define_channel(name: str, channel: Channel) -> None:
    """Make a channel known under a name, which categories have in their `reach`.

    Raises:
        ValueError: the name breaks the rule `[a-z][a-z0-9_-]{0,63}`, is built in, or is taken.
        TypeError: it has no method `send`.
    """
    if not NAME.fullmatch(name) or name in RESERVED:
        raise ValueError(f"{name!r} is not a channel name: [a-z][a-z0-9_-]{{0,63}}, not built in")
    if _channels.get(name, channel) is not channel:
        raise ValueError(f"channel {name!r} is already defined")
    if not callable(getattr(channel, "send", None)):
        raise TypeError(f"channel {name!r} has no method send(message)")
    _channels[name] = channel


def defined_channels() -> Mapping[str, Channel]:
    """Return the channels that `define_channel` made known."""
    return dict(_channels)


def forget_channel(name: str) -> None:
    """Forget a channel, for tests."""
    _channels.pop(name, None)
