"""Helpers of the browser tests: real Chromium, and a page with the bell for any user.

The test itself serves the page and its tokens (Playwright's routes), under the strict policy that
docs/client.md recommends; everything below `/client`, `/api` and `/ws` is the real server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocket, sync_playwright

from tests.harness import backends
from tests.harness.site import Site, running_site
from tests.harness.waiting import POLL_SECONDS, DeadlineError

ARGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # A page that the test itself answers has no address, so Chromium takes it for a public one and keeps
    # it from sockets of this machine. The demo's page, which the server serves, needs no such permission.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
]  # fmt: skip
POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; require-trusted-types-for 'script'"
PAGE = """<!doctype html>
<html lang="{lang}" dir="{dir}">
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Test page</title>
<link rel="stylesheet" href="/test/style.css">
<script type="module" src="/client/bell-words-de.js"></script>
<script type="module" src="/client/bell-words-ar.js"></script>
<script type="module" src="/client/bell.js"></script>
<script type="module" src="/client/badge.js"></script>
<body>
<header>
  <a id="before" href="#main">Before</a>
  <span>Messages <notification-badge id="messages" type="messages" for="bell"></notification-badge></span>
  <notification-bell id="bell" token-url="/test/token"></notification-bell>
  <a id="after" href="#main">After</a>
</header>
<main id="main"><h1>Test page</h1><p>Nothing but the bell.</p></main>
</body></html>"""
STYLE = """body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText }
header { display: flex; gap: 1rem; align-items: center; justify-content: flex-end; padding: .5rem 1rem }
main { padding: 1rem }"""

EXPECTED = re.compile(r"net::|WebSocket connection|Failed to load resource")
BELL = "document.querySelector('#bell')"
CLIENT = f"{BELL}.client"
ROOT = f"{BELL}.shadowRoot"


def chromium() -> str:
    """Return Chromium's program; without one the test is skipped, and in CI it fails."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        missing = "chromium is not installed (Debian: apt install chromium; or set CHROMIUM)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def launched() -> Iterator[Browser]:
    """Yield a new Chromium. Use it for one module at most: Playwright's loop occupies the thread."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """Yield Chromium for the tests of a module."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def shop_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield an embedded site with the demo, for all browser tests that do not change the server."""
    folder = tmp_path_factory.mktemp("browser")
    with (
        backends.open_backend("embedded", folder / "var", None) as backend,
        running_site(backend, folder) as site,
    ):
        yield site


class Tab:
    """A page with a bell, and questions that a test asks about it."""

    def __init__(self, page: Page, visitor: Visitor) -> None:
        self.page = page
        self.visitor = visitor
        self.trouble: list[str] = []
        self.sockets: list[WebSocket] = []
        page.on("websocket", self._connected)
        page.on("console", lambda message: self._hear(message.type, message.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))

    def _connected(self, socket: WebSocket) -> None:
        self.sockets.append(socket)

    def _hear(self, kind: str, text: str) -> None:
        # A lost connection is reported by the browser itself; everything else is our fault.
        if kind in ("error", "warning") and not re.search(
            r"net::|WebSocket connection|Failed to load resource", text
        ):
            self.trouble.append(text)

    def js(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.page.evaluate(f"() => {expression}")

    def until(self, expression: str, seconds: float = 10) -> float:
        """Wait until the expression is true; return how many seconds that took."""
        return self.wait(lambda: bool(self.js(f"Boolean({expression})")), seconds, expression)

    def wait(self, condition: Callable[[], bool], seconds: float, what: str) -> float:
        """Wait until the test's condition is true, while the browser keeps running."""
        start = time.monotonic()
        while not condition():
            if time.monotonic() - start >= seconds:
                raise DeadlineError(f"{what}: not within {seconds:g} s, now {self.summary()}")
            # Playwright answers the page's requests only while it is called: a plain sleep would stop them.
            self.page.wait_for_timeout(POLL_SECONDS * 1000)
        return time.monotonic() - start

    def live(self, seconds: float = 10) -> Tab:
        """Wait until it is connected."""
        self.until(f"{CLIENT}?.state === 'live'", seconds)
        return self

    def unread(self, count: int, seconds: float = 10) -> float:
        """Wait until client, bell and title all show this count; return how many seconds that took."""
        shown = "99+" if count > 99 else str(count)
        title = f"({shown}) Test page" if count else "Test page"
        return self.until(
            f"{CLIENT}.store.unread === {count} && document.title === {json.dumps(title)}"
            f" && {ROOT}.querySelector('.count').textContent === {json.dumps(shown)}",
            seconds,
        )

    def titles(self) -> list[str]:
        """The titles of the entries the client holds, newest first."""
        found: list[str] = self.js(f"{CLIENT}.items.map(({{data}}) => data.title)")
        return found

    def summary(self) -> str:
        """Return a line for a failure's message."""
        try:
            return str(
                self.js(
                    f"{CLIENT} && [{CLIENT}.state, {CLIENT}.leading, {CLIENT}.store.seq,"
                    f" {CLIENT}.store.unread, {CLIENT}.items.length, document.title].join(' ')"
                )
            )
        except Exception as error:
            return str(error)

    def bell(self) -> None:
        """Press the bell."""
        self.page.locator("#bell .bell").click()


class Visitor:
    """One browser (a context) of one user."""

    def __init__(self, context: BrowserContext, site: Site, user: str) -> None:
        self.context, self.site, self.user = context, site, user
        self.ttl = 3_600.0  # seconds that a token lives
        self.tokens = 0  # how many tokens were requested
        self.tabs: list[Tab] = []
        self.base_url = site.backend.base_url
        context.route(re.compile(r"/test/"), self._answer)

    def _answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.path == "/test/token":
            self.tokens += 1
            route.fulfill(body=self.site.backend.token(self.user, self.ttl), content_type="text/plain")
        elif url.path == "/test/style.css":
            route.fulfill(body=STYLE, content_type="text/css")
        else:
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            body = PAGE.format(lang=query.get("lang", "en"), dir=query.get("dir", "ltr"))
            route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    def one_socket(self) -> None:
        """Wait until exactly one of the browser's tabs holds a socket: the leader, and only one."""
        leaders = [0]

        def one() -> bool:
            leaders[0] = sum(bool(tab.js(f"{CLIENT}.leading")) for tab in self.tabs)
            return leaders[0] == 1 and len(self.sockets()) == 1

        self.tabs[0].wait(one, 10, f"{leaders} leaders, sockets of {self.sockets()}")

    def sockets(self) -> list[int]:
        """The tabs, by number, that hold a socket now, once for each."""
        return [
            number for number, tab in enumerate(self.tabs) for socket in tab.sockets if not socket.is_closed()
        ]

    def close(self, tab: Tab) -> None:
        """Close a tab."""
        self.tabs.remove(tab)
        tab.page.close()

    def open(self, query: str = "", *, live: bool = True) -> Tab:
        """A tab with the bell's page."""
        tab = Tab(self.context.new_page(), self)
        self.tabs.append(tab)
        tab.page.goto(f"{self.base_url}/test/page?{query}")
        return tab.live() if live else tab


Visit = Callable[..., Visitor]


@pytest.fixture
def visit(chrome: Browser, shop_site: Site) -> Iterator[Visit]:
    """Yield a function that opens browsers for users; at the end no page may have logged an error."""
    visitors: list[Visitor] = []

    def opened(user: str, site: Site = shop_site, **options: Any) -> Visitor:
        visitor = Visitor(chrome.new_context(**options), site, user)
        visitors.append(visitor)
        return visitor

    yield opened
    trouble = [line for visitor in visitors for tab in visitor.tabs for line in tab.trouble]
    for visitor in visitors:
        visitor.context.close()
    assert trouble == []


def holds(page: Page, expression: str, seconds: float = 15) -> None:
    """Wait until it is true in the page, whose policy forbids Playwright's waiting script."""
    ends = time.monotonic() + seconds
    while not page.evaluate(f"() => Boolean({expression})"):
        assert time.monotonic() < ends, expression
        page.wait_for_timeout(POLL_SECONDS * 1000)


def axe_source() -> str:
    """axe-core, from the development tools of tests/client."""
    path = Path(__file__).parents[1] / "client" / "node_modules" / "axe-core" / "axe.min.js"
    if not path.exists():
        missing = "axe-core is not installed: npm ci in tests/client"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path.read_text("utf-8")
