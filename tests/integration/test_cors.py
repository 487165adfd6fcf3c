"""Pages of the listed origins may call the inbox and load the client; no other pages, and no other calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from notifier import send
from notifier.settings import Settings
from tests.harness.http_client import Http, Response
from tests.harness.tokens import user_token
from tests.harness.world import migrate
from web import create_app
from web.runtime import EXTENSION

SHOP, OTHER = "https://shop.example", "http://localhost:5173"
STRANGERS = [
    "https://evil.example",
    "https://shop.example.evil.example",
    "https://shop.example:444",
    "http://shop.example",
    "https://SHOPxexample",
    "null",
    "*",
    "",
]
FOR_PAGES = [
    "/api/inbox",
    "/api/inbox/read",
    "/api/inbox/unread",
    "/api/inbox/archive",
    "/api/inbox/seen",
    "/api/inbox/snooze",
    "/api/inbox/unsnooze",
    "/api/preferences",
    "/client/notifier.js",
]
NOT_FOR_PAGES = [
    "/api/notifications",
    "/api/badges",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/api/inboxes",
]


class Served:
    """A web application on a port of its own, and a user's token."""

    def __init__(self, folder: Path, origins: str) -> None:
        settings = Settings.load(var_dir=folder, demo=False, allowed_origins=origins)
        app = create_app(settings)
        self.database = app.extensions[EXTENSION].database
        migrate(self.database.engine)
        self.token = user_token("u1", settings.signing_secret())
        self._server = make_server("127.0.0.1", 0, app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self._http = Http(f"http://127.0.0.1:{self._server.server_port}")

    def call(self, method: str, path: str, origin: str | None, **headers: str) -> Response:
        """Make a call as the browser does for a page of `origin`."""
        if origin is not None:
            headers["Origin"] = origin
        return self._http.request(method, path, headers=headers)

    def preflight(self, path: str, origin: str | None, method: str = "POST") -> Response:
        """Make the browser's preflight request."""
        headers = {
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        return self.call("OPTIONS", path, origin, **headers)

    def close(self) -> None:
        self._http.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.database.dispose()
        send.use(None)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("listed"), f"{SHOP}, {OTHER}, http://[::1]:8080")
    yield served
    served.close()


@pytest.fixture(scope="module")
def unlisted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("unlisted"), "")
    yield served
    served.close()


def cors(answer: Response) -> dict[str, str]:
    """Return the headers of an answer that permit a page to read it."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def words(header: str) -> set[str]:
    return {word.strip().lower() for word in header.split(",")}


@pytest.mark.parametrize("path", FOR_PAGES)
@pytest.mark.parametrize("origin", [SHOP, OTHER, "http://[::1]:8080"])
def test_a_preflight_of_a_listed_origin_is_answered(listed: Served, path: str, origin: str) -> None:
    answer = listed.preflight(path, origin)
    assert answer.status in (200, 204)
    given = cors(answer)
    assert given["access-control-allow-origin"] == origin
    assert words(given["access-control-allow-headers"]) == {"authorization", "content-type"}
    assert (
        "GET" if path in ("/api/inbox", "/api/preferences", "/client/notifier.js") else "POST"
    ).lower() in words(given["access-control-allow-methods"])
    assert int(given["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in given
    assert "origin" in words(answer.headers["vary"])


@pytest.mark.parametrize("path", FOR_PAGES)
@pytest.mark.parametrize("origin", STRANGERS)
def test_any_other_origin_gets_no_permission(listed: Served, path: str, origin: str) -> None:
    for answer in (listed.preflight(path, origin), listed.call("GET", path, origin)):
        assert cors(answer) == {}
        assert "origin" in words(answer.headers["vary"])


@pytest.mark.parametrize("path", FOR_PAGES)
def test_a_cache_is_told_that_the_answer_depends_on_the_origin(listed: Served, path: str) -> None:
    answer = listed.call("GET", path, None)
    assert "origin" in words(answer.headers["vary"])
    assert cors(answer) == {}


def test_the_call_itself_and_its_refusals_can_be_read_by_the_page(listed: Served) -> None:
    bearer = {"Authorization": f"Bearer {listed.token}"}
    page = listed.call("GET", "/api/inbox", SHOP, **bearer)
    assert (page.status, page.json["items"]) == (200, [])
    refused = listed.call("GET", "/api/inbox", SHOP)
    missing = listed.call("GET", "/client/nothing.js", SHOP)
    not_allowed = listed.call("PUT", "/api/inbox/read", SHOP, **bearer)
    assert (refused.status, missing.status, not_allowed.status) == (401, 404, 405)
    for answer in (page, refused, missing, not_allowed):
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert words(answer.headers["access-control-expose-headers"]) == {"retry-after"}
        assert "access-control-allow-credentials" not in answer.headers


def test_the_case_of_an_origin_does_not_matter_and_it_is_echoed_as_sent(listed: Served) -> None:
    answer = listed.preflight("/api/inbox", "https://Shop.Example")
    assert answer.headers["access-control-allow-origin"] == "https://Shop.Example"


@pytest.mark.parametrize("path", NOT_FOR_PAGES)
def test_calls_that_are_not_for_pages_get_no_permission(listed: Served, path: str) -> None:
    assert cors(listed.preflight(path, SHOP)) == {}
    assert cors(listed.call("GET", path, SHOP)) == {}


@pytest.mark.parametrize("path", FOR_PAGES)
def test_without_a_list_no_other_origin_gets_permission(unlisted: Served, path: str) -> None:
    for answer in (unlisted.preflight(path, SHOP), unlisted.call("GET", path, SHOP)):
        assert cors(answer) == {}
