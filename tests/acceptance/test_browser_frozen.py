"""A leading tab that Chromium freezes gives up the socket.

Playwright keeps every page focused, and a visible page is never frozen. So Chromium is driven by its own
protocol here, with tabs that really are in the background. The pages are the demo's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.browser import ARGS, chromium, shop_site
from tests.harness.site import Site
from tests.harness.waiting import until

__all__ = ["shop_site"]
pytestmark = pytest.mark.browser
CLIENT = "document.querySelector('notification-bell')?.client"


class NoPageYet(Exception):
    """The tab is between two pages."""


class Tab:
    """A page, by the Chrome DevTools Protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(timeout=20))
            if answer.get("id") == self._number:
                if answer.get("error", {}).get("message") == "Cannot find default execution context":
                    raise NoPageYet
                assert "error" not in answer, answer
                return answer

    def js(self, expression: str) -> Any:
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"]["result"].get("value")

    def until(self, expression: str, seconds: float = 15) -> None:
        def holds() -> bool:
            try:
                return bool(self.js(f"Boolean({expression})"))
            except NoPageYet:
                return False

        until(holds, seconds, expression)


@pytest.fixture
def open_tab(tmp_path: Path) -> Iterator[Any]:
    """Opens tabs of one Chromium; each new one sends those before it to the background."""
    process = subprocess.Popen(
        [chromium(), *ARGS, "--remote-debugging-port=0", f"--user-data-dir={tmp_path}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    note = tmp_path / "DevToolsActivePort"
    with ExitStack() as stack:
        try:
            until(lambda: note.exists() and note.read_text().count("\n"), 30, "Chromium listens")
            port = note.read_text().split()[0]

            def opened(url: str) -> Tab:
                request = Request(f"http://127.0.0.1:{port}/json/new?{url}", method="PUT")
                with urlopen(request, timeout=20) as answer:
                    where = json.load(answer)["webSocketDebuggerUrl"]
                tab = Tab(stack.enter_context(connect(where, max_size=None, proxy=None)))
                tab.until(f"{CLIENT}?.state === 'live'", 30)
                return tab

            yield opened
        finally:
            process.terminate()
            process.wait(20)


def test_a_frozen_leader_hands_over_and_returns_as_a_follower(open_tab: Any, shop_site: Site) -> None:
    page = f"{shop_site.backend.base_url}/?customer=customer-3"
    first, second = open_tab(page), open_tab(page)
    assert first.js("document.visibilityState") == "hidden"
    assert [first.js(f"{CLIENT}.leading"), second.js(f"{CLIENT}.leading")] == [True, False]
    unread = second.js(f"{CLIENT}.store.unread")

    first.send("Page.setWebLifecycleState", state="frozen")
    second.until(f"{CLIENT}.leading && {CLIENT}.state === 'live'")
    shop_site.send("customer-3", "while the leader was frozen")
    second.until(f"{CLIENT}.store.unread === {unread + 1}")

    first.send("Page.setWebLifecycleState", state="active")
    first.until(f"{CLIENT}.store.unread === {unread + 1} && document.title.startsWith('({unread + 1})')")
    assert [first.js(f"{CLIENT}.leading"), second.js(f"{CLIENT}.leading")] == [False, True]


def test_a_tab_in_the_background_counts_in_its_title(open_tab: Any, shop_site: Site) -> None:
    page = f"{shop_site.backend.base_url}/?customer=customer-2"
    back, _front = open_tab(page), open_tab(page)
    unread = back.js(f"{CLIENT}.store.unread")
    shop_site.send("customer-2", "seen in the title alone")
    back.until(f"document.title === '({unread + 1}) Little Shop'")
    assert back.js("document.querySelector('notification-bell').shadowRoot.querySelector('.toast')") is None
