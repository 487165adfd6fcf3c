"""The link in every mail that switches mail off for the categories in it (RFC 8058)."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from notifier.channels import Message
from notifier.core.categories import category
from notifier.core.errors import Unauthenticated
from notifier.outbox import recipients
from notifier.outbox.engine import Database
from notifier.outbox.types import now
from notifier.settings import Settings
from usecases.change_entries import Publishes
from usecases.preferences import switch_off_email
from usecases.sealed_token import UNSUBSCRIBE, SealedTokens

MAX_TOKEN = 700  # characters; the header List-Unsubscribe has one line of 998 at most (RFC 5322, 2.1.1)


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """The content of a link: what it switches off.

    Attributes:
        user_id: whose mails.
        categories: of these categories; empty: all.
    """

    user_id: str
    categories: Sequence[str]


class UnsubscribeLinks:
    """Links for mails, each of which switches mail off.

    Args:
        tokens: seals them.
        url: the address of the page.
    """

    def __init__(self, tokens: SealedTokens, url: str) -> None:
        self._tokens = tokens
        self._url = url

    @classmethod
    def from_settings(cls, settings: Settings) -> "UnsubscribeLinks":
        """Return an instance made from the settings. Raises SettingError."""
        return cls(SealedTokens.from_settings(UNSUBSCRIBE, settings), f"{settings.site_url}/unsubscribe")

    def link(self, message: Message) -> str | None:
        """Return the address for a message; None: it cannot be switched off.

        A digest of very many categories has a link for all mail.
        """
        if message.required:
            return None
        token = self._tokens.seal({"u": message.user_id, "c": list(message.categories)})
        if len(token) > MAX_TOKEN:
            token = self._tokens.seal({"u": message.user_id, "c": []})
        return f"{self._url}?token={token}"


def read_link(settings: Settings, token: str) -> Unsubscription:
    """Open a link's token, and return what the link switches off.

    Raises:
        NotFound: it is not one of ours.
        SettingError: no secret is set.
    """
    payload = SealedTokens.from_settings(UNSUBSCRIBE, settings).open(token)
    return Unsubscription(payload["u"], payload["c"])


def titles(names: Sequence[str]) -> list[str]:
    """Return the titles of these categories."""
    found = [(name, category(name)) for name in names]
    return [known.title if known else name for name, known in found]


def unsubscribe(database: Database, publisher: Publishes, what: Unsubscription) -> None:
    """Switch mail off. A repetition changes nothing; a user who is not known is ignored.

    Raises DatabaseUnavailable.
    """
    began = now().timestamp()
    with database.read() as connection:
        if recipients.find(connection, what.user_id) is None:
            return
    with suppress(Unauthenticated):  # the user has been erased meanwhile
        switch_off_email(database, publisher, what.user_id, what.categories, asked_at=began)
