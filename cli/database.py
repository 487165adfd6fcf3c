"""The database of the settings, for one command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from notifier.settings import Settings

if TYPE_CHECKING:
    from notifier.outbox.engine import Database
    from notifier.send import Sender


@contextmanager
def open_database() -> "Iterator[Database]":
    """Yield the database of the settings, and close it at the end."""
    from notifier.outbox.engine import Database, make_engine

    database = Database(make_engine(Settings.load().database_url, idle_limit=False))
    try:
        yield database
    finally:
        database.dispose()


def use_own_sender() -> "Sender":
    """Make sends of this command wait for SQLite's lock as long as the service does; return the sender."""
    from notifier import send

    sender = send.Sender.from_settings(Settings.load())
    send.use(sender)
    return sender
