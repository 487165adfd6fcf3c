"""What a PostgreSQL session must be like, however the server, the database and the role are set up.

Nothing is left in a session that a pooler might lose or hand to somebody else: isolation and timeouts belong
to each transaction, and the settings below are those that pgbouncer keeps for each of its clients, and sets
wherever it sends their transactions.
"""

import logging
from typing import Any

import sqlalchemy as sa

from notifier.core.errors import SettingError
from notifier.outbox.failures import Cause, cause

log = logging.getLogger(__name__)

#: What values are read and written as.
SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
}
OFF = ("0", "off", "none")  # of prepare_threshold, behind the `?` of the URL


def prepares(url: sa.URL) -> bool:
    """Whether statements may be prepared, as far as the URL says."""
    return str(url.query.get("prepare_threshold", "")).lower() not in OFF


def prepare(connection: Any, *, prepare_statements: bool) -> None:
    """Set a new session up. Raises SettingError when the database cannot hold every text.

    Behind a pooler nothing is prepared: a later transaction may go to a server that does not know it. A
    pooler shows by the process id that it gives out, which is not its server's.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in (None, "UTF8"):
        raise SettingError(f"NOTIFIER_DATABASE_URL: the database's encoding is {encoding}; it must be UTF8")
    wrong = {
        name: value
        for name, value in SETTINGS.items()
        if connection.info.parameter_status(name) not in (None, value)
    }
    settings = "; ".join(f"SET {name} TO {value!r}" for name, value in wrong.items() if name != "DateStyle")
    if "DateStyle" in wrong:
        settings += "; SET DateStyle TO ISO, MDY"
    with connection.cursor() as cursor:
        if settings:
            cursor.execute(settings.strip("; "))
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    connection.commit()
    if not prepare_statements or pid != connection.info.backend_pid:
        connection.prepare_threshold = None


def stop_preparing(context: sa.engine.ExceptionContext) -> None:
    """Prepare nothing more on a connection whose prepared statement a pooler has lost."""
    error = context.sqlalchemy_exception
    if (
        isinstance(error, sa.exc.DBAPIError)
        and cause(error) is Cause.POOLER
        and context.connection is not None
    ):
        log.warning("a pooler lost a prepared statement: none is prepared on this connection any more")
        context.connection.connection.dbapi_connection.prepare_threshold = None  # type: ignore[union-attr]
