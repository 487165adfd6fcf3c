"""Set a recipient's profile from an application: `set_recipient`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from notifier import send
from notifier.core.checks import check_user_id
from notifier.core.recipients import check_profile
from notifier.outbox import recipients
from notifier.outbox.types import now

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.orm import Session, scoped_session


class _Unset:
    """Not given: the field stays as it is."""


UNSET: Final = _Unset()
Text = str | None | _Unset


def set_recipient(
    user_id: str,
    *,
    email: Text = UNSET,
    locale: Text = UNSET,
    timezone: Text = UNSET,
    name: Text = UNSET,
    addresses: Mapping[str, str | None] | None = None,
    session: "Session | scoped_session[Any] | None" = None,
) -> None:
    """Set fields of a recipient's profile. A field that is not given stays; None removes it.

    Args:
        user_id: who.
        email: exactly one mailbox.
        locale: a language tag, like `de` or `pt-BR`.
        timezone: an IANA zone, like `Europe/Berlin`.
        name: how mails call them.
        addresses: channel -> its address, for channels beside email and push.
        session: a SQLAlchemy session on the same database: join its transaction.

    Raises:
        InvalidInput: a field breaks a rule; `problems` says which.
        DatabaseUnavailable: nothing was changed.
        WrongDatabase: the session is not on the service's database.
    """
    given: dict[str, object] = {"email": email, "locale": locale, "timezone": timezone, "name": name}
    fields = {field: value for field, value in given.items() if value is not UNSET}
    checked = check_profile(fields if addresses is None else {**fields, "addresses": addresses})
    known = check_user_id(user_id)

    def work(connection: "Connection") -> None:
        recipients.put(connection, known, checked, now=now())

    if not send.diverted():
        send.default_sender().run(work, session=session)
