"""A private pgbouncer, which keeps its clients' connections while the server behind it changes."""

from __future__ import annotations

import psycopg

from tests.harness.postgres import PrivatePostgres, execute
from tests.harness.services import PrivateService, find_binary, missing


class PrivatePgBouncer(PrivateService):
    """Transaction pooling in front of a server, which `lead_to` changes."""

    name = "pgbouncer"
    user = "postgres"

    def __init__(self, server: PrivatePostgres) -> None:
        program = find_binary("pgbouncer", "/usr/sbin")
        if program is None:
            raise missing("pgbouncer is not installed")
        super().__init__()
        self._program = program
        self._settings = self.folder / "pgbouncer.ini"
        self._write(server)

    def _write(self, server: PrivatePostgres) -> None:
        self._settings.write_text(
            f"""
            [databases]
            * = host=127.0.0.1 port={server.port} user=live
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = any
            admin_users = live
            pool_mode = transaction
            default_pool_size = 5
            server_login_retry = 1
            ignore_startup_parameters = extra_float_digits
            """.replace("            ", "")
        )
        self._settings.chmod(0o644)

    def lead_to(self, server: PrivatePostgres) -> None:
        """Send every connected client to another server, as an operator does after a failover."""
        self._write(server)
        execute(self.url("pgbouncer"), "RELOAD")

    def clients(self, database: str) -> set[str]:
        """Return the connections of its clients, by their ports."""
        rows = execute(self.url("pgbouncer"), "SHOW CLIENTS")
        return {str(row[6]) for row in rows if row[2] == database}

    def command(self) -> list[str]:
        return [str(self._program), str(self._settings)]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}

    def answers(self) -> bool:
        try:
            execute(self.url("pgbouncer"), "SHOW VERSION")
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database behind it."""
        return f"postgresql+psycopg://live@127.0.0.1:{self.port}/{database}"
