"""A private nginx, for tests of the documented configuration."""

from __future__ import annotations

from tests.harness.services import PrivateService, find_binary, missing
from tests.harness.waiting import accepts

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class PrivateNginx(PrivateService):
    """nginx in the foreground, configured before it starts."""

    name = "nginx"

    def __init__(self) -> None:
        program = find_binary("nginx", *PLACES)
        if program is None:
            raise missing("nginx is not installed")
        super().__init__()
        self._program = program
        self.folder.chmod(0o755)  # its workers are another user when it is started by root

    def configure(self, sites: str) -> None:
        """Write its configuration; `sites` is the inside of the `http` block, and listens on `port`."""
        folder = self.folder
        places = "\n".join(f"{name}_temp_path {folder}/{name};" for name in TEMPORARY)
        (folder / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log stderr warn;\n"
            f"events {{ worker_connections 1024; }}\nhttp {{\naccess_log off;\n{places}\n{sites}\n}}\n"
        )

    def command(self) -> list[str]:
        return [str(self._program), "-e", "stderr", "-p", str(self.folder), "-c", "nginx.conf"]

    def environment(self) -> dict[str, str]:
        return {}

    def answers(self) -> bool:
        return accepts(self.port)
