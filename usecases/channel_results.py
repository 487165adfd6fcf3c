"""Results of the built-in channels that say more than those of `notifier.channels`."""

from dataclasses import dataclass

from notifier.channels import Refused, Retry


@dataclass(frozen=True, slots=True)
class InDoubt(Refused):
    """Refused, and the address may be gone: so many of them in a row switch it off.

    Attributes:
        limit: how many.
        daily: whether those of one day count once.
    """

    limit: int = 5
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Paused(Retry):
    """The provider refuses us, for all messages: the channel pauses, and no attempt is used up."""
