"""Grant a role the right to read the four reporting views, and nothing else of ours."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ProgrammingError

from notifier.core.errors import Forbidden, InvalidInput, SettingError

VIEWS = (
    "notifier_report_deliveries",
    "notifier_report_daily",
    "notifier_report_notifications",
    "notifier_report_devices",
)
MAX_ROLE = 63  # bytes; PostgreSQL cuts longer names
NOT_ALLOWED = "42501"  # insufficient_privilege (PostgreSQL appendix A)


def grant_reporting(connection: Connection, role: str) -> bool:
    """Grant `role` SELECT on the reporting views; create it without a login if it does not exist.

    Returns whether it was created.

    Raises:
        InvalidInput: `role` cannot be a name.
        SettingError: on SQLite.
        Forbidden: the database's user may not do that, or `role` can read our tables already.
    """
    if connection.dialect.name != "postgresql":
        raise SettingError(
            "NOTIFIER_DATABASE_URL: SQLite has no roles; who can open the file reads all of it"
        )
    if not role or len(role.encode()) > MAX_ROLE or not role.isprintable():
        raise InvalidInput(
            problems=[{"loc": ["role"], "msg": f"must be printable, 1 to {MAX_ROLE} bytes long"}]
        )
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    try:
        made = _make(connection, role, quoted)
        for privilege in (
            f"CONNECT ON DATABASE {_here(connection, 'current_database()')}",
            f"USAGE ON SCHEMA {_here(connection, 'current_schema()')}",
            f"SELECT ON {', '.join(VIEWS)}",
        ):
            connection.exec_driver_sql(f"GRANT {privilege} TO {quoted}")
    except ProgrammingError as exc:
        if getattr(exc.orig, "sqlstate", None) != NOT_ALLOWED:
            raise
        raise Forbidden(str(exc.orig).splitlines()[0]) from None
    if connection.scalar(
        sa.text("SELECT has_table_privilege(:role, 'notifier_notifications', 'SELECT')"), {"role": role}
    ):
        raise Forbidden(f"{role} can read the tables themselves already; choose another role")
    return made


def _make(connection: Connection, role: str, quoted: str) -> bool:
    if connection.scalar(sa.text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}):
        return False
    connection.exec_driver_sql(f"CREATE ROLE {quoted} NOLOGIN")
    return True


def _here(connection: Connection, what: str) -> str:
    name: str = connection.exec_driver_sql(f"SELECT {what}").scalar_one()
    return connection.dialect.identifier_preparer.quote_identifier(name)
