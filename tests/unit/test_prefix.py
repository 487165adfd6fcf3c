"""A path prefix that the proxy keeps or removes, and Flask's root in each case."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.world import settings
from web.prefix import OUTSIDE, Mounted, Prefix


def served(
    path: str, prefix: str = "", hops: int = 0, header: str | None = None, mount: str = "", root: str = ""
) -> tuple[str, str, bool]:
    """Return the root and the path that the application sees, and whether it is outside."""
    found: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], _: Any) -> list[bytes]:
        found.append(environ)
        return []

    environ = {"PATH_INFO": path, "SCRIPT_NAME": root}
    if header is not None:
        environ["HTTP_X_FORWARDED_PREFIX"] = header
    stack: Any = Prefix(app, prefix, hops)  # type: ignore[arg-type]
    (Mounted(stack, mount) if mount else stack)(environ, lambda *_: None)
    return found[0]["SCRIPT_NAME"], found[0]["PATH_INFO"], bool(found[0].get(OUTSIDE))


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ({"path": "/api/inbox"}, ("", "/api/inbox", False)),
        # The proxy forwards the path unchanged.
        ({"path": "/n/api/inbox", "prefix": "/n"}, ("/n", "/api/inbox", False)),
        ({"path": "/n", "prefix": "/n"}, ("/n", "/", False)),
        ({"path": "/n/", "prefix": "/n"}, ("/n", "/", False)),
        ({"path": "/a/b/ws", "prefix": "/a/b"}, ("/a/b", "/ws", False)),
        ({"path": "/notify", "prefix": "/n"}, ("", "/notify", True)),
        ({"path": "/ws", "prefix": "/n"}, ("", "/ws", True)),
        ({"path": "/n/ws", "prefix": "/n", "root": "/outer"}, ("/outer/n", "/ws", False)),
        # The proxy has removed the prefix.
        ({"path": "/ws", "hops": 1, "header": "/n"}, ("/n", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "/n/"}, ("/n", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "/forged, /n"}, ("/n", "/ws", False)),
        ({"path": "/ws", "hops": 2, "header": "/n"}, ("/n", "/ws", False)),
        ({"path": "/ws", "hops": 2, "header": "/forged, /outer, /inner"}, ("/outer", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "/n", "prefix": "/n"}, ("/n", "/ws", False)),
        ({"path": "/n/ws", "hops": 1, "header": "/n", "prefix": "/n"}, ("/n", "/ws", False)),
        # The header is ignored without an expected proxy.
        ({"path": "/ws", "header": "/n"}, ("", "/ws", False)),
        ({"path": "/n/ws", "hops": 1, "header": "/forged", "prefix": "/n"}, ("/n", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "//evil.example"}, ("", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "https://evil.example"}, ("", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "/a\r\nX: y"}, ("", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": "/.."}, ("", "/ws", False)),
        ({"path": "/ws", "hops": 1, "header": ""}, ("", "/ws", False)),
        # The server's own setting.
        ({"path": "/ws", "mount": "/n"}, ("/n", "/ws", False)),
        ({"path": "/n/ws", "mount": "/n/"}, ("/n", "/ws", False)),
        ({"path": "/n/ws", "mount": "n", "prefix": "/n"}, ("/n", "/ws", False)),
    ],
)
def test_the_root_comes_from_a_trusted_source(given: dict[str, Any], seen: tuple[str, str, bool]) -> None:
    assert served(**given) == seen


@pytest.mark.parametrize(
    ("given", "kept"), [("", ""), ("/", ""), ("/notify", "/notify"), ("/a/b.c/", "/a/b.c")]
)
def test_a_slash_at_the_end_is_ignored(given: str, kept: str) -> None:
    assert settings(prefix=given).prefix == kept
