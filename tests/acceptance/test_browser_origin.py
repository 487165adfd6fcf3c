"""A page of another origin loads the client, lists the inbox and marks entries as read."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.browser import chrome
from tests.harness import backends
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

__all__ = ["chrome"]
pytestmark = pytest.mark.browser

PAGE = b"<!doctype html><meta charset=utf-8><title>A page elsewhere</title><h1>A page elsewhere</h1>"
CONNECT = """async ([base, token]) => {
  const { NotifierClient } = await import(`${base}/client/notifier.js`);
  window.client = new NotifierClient({ url: base, token });
  window.client.connect();
}"""
LIST = """async ([base, token]) => {
  const answer = await fetch(`${base}/api/inbox?limit=2`, { headers: { Authorization: `Bearer ${token}` } });
  return (await answer.json()).items.map(({ data }) => data.title);
}"""


class Elsewhere(BaseHTTPRequestHandler):
    """A handler that answers every GET with a page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """Yield the port of a web server without a notifier."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def notifier(elsewhere: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The embedded default, open to the pages of `elsewhere` by its number, not by its name."""
    folder = tmp_path_factory.mktemp("origin")
    plain = backends.embedded(folder / "var")
    env = {**plain.env, "NOTIFIER_ALLOWED_ORIGINS": f"http://127.0.0.1:{elsewhere}"}
    with running_site(dataclasses.replace(plain, env=env), folder) as site:
        yield site


@pytest.fixture
def page(chrome: Browser) -> Iterator[Page]:
    """Yield a tab of a new browser."""
    context = chrome.new_context()
    yield context.new_page()
    context.close()


def test_a_page_of_a_listed_origin_uses_the_inbox(
    page: Page, elsewhere: int, notifier: Site, user: str
) -> None:
    titles = [f"Order {number}" for number in range(1, 4)]
    for title in titles:
        notifier.send(user, title)
    notifier.arrived(user, len(titles))
    given = [notifier.backend.base_url, notifier.backend.token(user)]

    page.goto(f"http://127.0.0.1:{elsewhere}/")
    page.evaluate(CONNECT, given)
    page.wait_for_function("window.client.state === 'live' && window.client.items.length === 3")
    assert page.evaluate(LIST, given) == ["Order 3", "Order 2"]

    page.evaluate("async () => { await client.read(client.items[0].id); }")
    with notifier.user(user) as inbox:
        until(lambda: inbox.inbox(limit=1).json["unread"] == 2, 10, "one is read")
    page.evaluate("async () => { await client.readAll(); await client.older(); }")
    page.wait_for_function("window.client.store.unread === 0")
    with notifier.user(user) as inbox:
        assert inbox.inbox(status="unread").json["items"] == []


def test_a_page_of_any_other_origin_does_not(page: Page, elsewhere: int, notifier: Site, user: str) -> None:
    given = [notifier.backend.base_url, notifier.backend.token(user)]
    page.goto(f"http://localhost:{elsewhere}/")  # the same server, but another origin
    for script in (CONNECT, LIST):
        said = page.evaluate(f"given => ({script})(given).then(() => 'worked', error => error.name)", given)
        assert said == "TypeError"
