"""A private Caddy, for tests of the documented configuration."""

from __future__ import annotations

from tests.harness.services import PrivateService, find_binary, missing
from tests.harness.waiting import accepts

PLACES = ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")


class PrivateCaddy(PrivateService):
    """Caddy in the foreground, configured before it starts; it requests no certificates."""

    name = "caddy"

    def __init__(self) -> None:
        program = find_binary("caddy", *PLACES)
        if program is None:
            raise missing("Caddy is not installed")
        super().__init__()
        self._program = program

    def configure(self, sites: str) -> None:
        """Write its configuration; `sites` are its site blocks, which listen on `port`."""
        options = "{\n\tadmin off\n\tauto_https off\n}\n"
        (self.folder / "Caddyfile").write_text(options + sites)

    def command(self) -> list[str]:
        return [str(self._program), "run", "--config", "Caddyfile", "--adapter", "caddyfile"]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.folder)}

    def answers(self) -> bool:
        return accepts(self.port)
