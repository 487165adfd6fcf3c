"""Prepare a PostgreSQL session, with any settings of the server, the database and the role.

No state stays in a session that a pooler might lose or pass to another client: isolation and timeouts are set
for each transaction, and the settings below are those that pgbouncer keeps for each of its clients, and sets
on the server that it uses.
"""

import logging
import re
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from notifier.core.errors import SettingError
from notifier.outbox.failures import Cause, cause

log = logging.getLogger(__name__)

#: The formats in which values are read and written.
SETTINGS = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
}
TRUSTED = 1.0  # seconds after its last use for which a pooled connection is trusted
IDLE = "idle_in_transaction_session_timeout"
#: Seconds in which the server hears nothing within a transaction, after which it ends the session: a process
#: that is frozen or cut off must not keep its locks. A pooler has its own setting for it (docs/settings.md).
IDLE_SECONDS = 15
OFF = ("0", "off", "none")  # values of prepare_threshold, after the `?` of the URL


def prepares(url: sa.URL) -> bool:
    """Return whether the URL allows prepared statements."""
    return str(url.query.get("prepare_threshold", "")).lower() not in OFF


def prepare(connection: Any, *, prepare_statements: bool, idle_limit: bool) -> bool:
    """Set up a new session; return whether it is the server's own, without a pooler in front of it.

    Raises SettingError when the database cannot store every text.

    Behind a pooler nothing is prepared: a later transaction may go to a server that does not know the
    statement. A pooler is recognised by its process id, which is not the server's.
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
        cursor.execute(f"SELECT pg_backend_pid(), current_setting('{IDLE}') = '0'")
        pid, unlimited = cursor.fetchone()
        direct: bool = pid == connection.info.backend_pid
        if direct and unlimited and idle_limit:
            cursor.execute(f"SET {IDLE} TO '{IDLE_SECONDS}s'")
    connection.commit()
    if not prepare_statements or not direct:
        connection.prepare_threshold = None
    return direct


def stop_preparing(context: sa.engine.ExceptionContext) -> None:
    """Stop preparing on a connection whose prepared statement a pooler has lost."""
    error = context.sqlalchemy_exception
    if (
        isinstance(error, sa.exc.DBAPIError)
        and cause(error) is Cause.POOLER
        and context.connection is not None
    ):
        log.warning("a pooler lost a prepared statement: preparing no more on this connection")
        context.connection.connection.dbapi_connection.prepare_threshold = None  # type: ignore[union-attr]


def note_use(connection: Any, record: ConnectionPoolEntry) -> None:
    """Note when a connection goes back to the pool."""
    record.info["notifier.used"] = time.monotonic()
    # After a snapshot SQLAlchemy leaves False, and every BEGIN would ask for READ WRITE, also on a
    # database that an operator has made read-only. None: the server's default.
    if getattr(connection, "read_only", None) is False:
        connection.read_only = None


def ask_if_idle(
    dialect: sa.Dialect, connection: Any, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Ping a connection before use, unless it has just been used: a ping costs a round trip.

    A stale connection after a restart of the server must not cause an error.
    """
    if time.monotonic() - record.info.get("notifier.used", float("inf")) <= TRUSTED:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as exc:
        raise sa.exc.DisconnectionError from exc  # the pool makes a new one


def hide_values(context: sa.engine.ExceptionContext) -> None:
    """Remove PostgreSQL's DETAIL and CONTEXT from an error: they show the row, and errors are logged."""
    told = str(context.original_exception)
    left = re.split(r"\n(?:DETAIL|CONTEXT):", told, maxsplit=1)[0]
    if left == told:
        return
    context.original_exception.args = (left,)
    if context.sqlalchemy_exception is not None:
        said = str(context.sqlalchemy_exception.args[0])
        context.sqlalchemy_exception.args = (said.replace(told, left),)
