"""How PostgreSQL is to plan the queries of reports and of the dashboard."""

from sqlalchemy.engine import Connection


def in_short(connection: Connection) -> Connection:
    """Let PostgreSQL expect a small part of large tables in this transaction; return the connection.

    Compiling such a query (JIT) takes longer than running it. And with its default cost of a random page,
    made for rotating disks, PostgreSQL reads all of a million deliveries to find the newest 20,000.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1")
    return connection
