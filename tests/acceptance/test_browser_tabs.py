"""The inbox stays the same in all tabs and devices, through interruptions, in real Chromium."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.browser import (
    BELL,
    CLIENT,
    ROOT,
    Tab,
    Visit,
    Visitor,
    chrome,
    shop_site,
    visit,
)
from tests.harness import backends
from tests.harness.proxy import Proxy
from tests.harness.site import Site, running_site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser


def same(site: Site, user: str, *tabs: Tab) -> None:
    """Wait until every tab has what a new read from the server returns."""
    with site.user(user) as api:
        fresh = api.inbox(limit=200).json
    for tab in tabs:
        tab.until(f"{CLIENT}.store.seq === {fresh['seq']}")
        tab.unread(fresh["unread"])
        assert tab.js(f"{CLIENT}.badges") == fresh["badges"]
        truth = {
            item["id"]: item["read_at"] is not None for item in fresh["items"] if item["archived_at"] is None
        }
        held: dict[str, bool] = tab.js(
            f"Object.fromEntries({CLIENT}.items.map(({{id, read_at}}) => [id, read_at !== null]))"
        )
        assert {id: read for id, read in truth.items() if not read or id in held} == held


def test_three_tabs_and_another_device_show_the_same(visit: Visit, shop_site: Site, user: str) -> None:
    desk, phone = visit(user), visit(user)
    tabs = [desk.open(), desk.open(), desk.open(), phone.open()]
    desk.one_socket()
    phone.one_socket()

    for number in range(3):
        shop_site.send(user, f"Alert {number}")
    for tab in tabs:
        tab.unread(3)
        assert tab.titles() == ["Alert 2", "Alert 1", "Alert 0"]
    shop_site.api.badge(user, "messages", 7)
    for tab in tabs:
        tab.until("document.querySelector('#messages').textContent === '7'")

    tabs[1].js(f"{CLIENT}.read({CLIENT}.items[0].id)")
    for tab in tabs:
        tab.unread(2)
    tabs[3].js(f"{CLIENT}.archive({CLIENT}.items[1].id)")
    for tab in tabs:
        tab.unread(1)
        tab.until(f"{CLIENT}.items.length === 2")
    tabs[2].js(f"{CLIENT}.unread({CLIENT}.items[0].id)")
    for tab in tabs:
        tab.unread(2)
    tabs[0].js(f"{CLIENT}.readAll()")
    for tab in tabs:
        tab.unread(0)
    same(shop_site, user, *tabs)
    desk.one_socket()
    phone.one_socket()


def test_another_device_that_was_away_has_everything_on_its_return(
    visit: Visit, shop_site: Site, user: str
) -> None:
    desk, phone = visit(user), visit(user)
    here, away = desk.open(), phone.open()
    shop_site.send(user, "Alert 0")
    away.unread(1)
    phone.context.set_offline(True)
    away.until(f"{CLIENT}.state === 'offline'", 40)
    here.js(f"{CLIENT}.readAll()")
    here.unread(0)
    shop_site.send(user, "Alert 1")
    shop_site.api.badge(user, "tasks", 2)
    here.unread(1)
    phone.context.set_offline(False)
    away.live(15)
    same(shop_site, user, here, away)


def test_the_leader_closes_and_the_next_tab_goes_on(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    first, second, third = desk.open(), desk.open(), desk.open()
    assert [tab.js(f"{CLIENT}.leading") for tab in (first, second, third)] == [True, False, False]
    desk.close(first)
    shop_site.send(user, "after the leader")
    for tab in (second, third):
        tab.unread(1)
    assert sum(tab.js(f"{CLIENT}.leading") for tab in (second, third)) == 1
    desk.one_socket()
    same(shop_site, user, second, third)


def test_a_leader_that_hangs_loses_the_socket(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    first, second = desk.open(), desk.open()
    # Its main thread is stopped, as in a debugger, without any event. The other page is another process.
    hang = first.page.context.new_cdp_session(first.page)
    hang.send("Debugger.enable")
    hang.send("Debugger.pause")
    second.until(f"{CLIENT}.leading && {CLIENT}.state === 'live'", 30)
    shop_site.send(user, "while the leader hung")
    second.unread(1)
    hang.send("Debugger.resume")
    hang.send("Debugger.disable")
    first.unread(1, 30)
    desk.one_socket()
    assert not first.js(f"{CLIENT}.leading")


def test_the_network_goes_and_comes_back(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    tabs = [desk.open(), desk.open()]
    shop_site.send(user, "before")
    for tab in tabs:
        tab.unread(1)
    desk.context.set_offline(True)
    for tab in tabs:
        tab.until(f"{CLIENT}.state === 'offline'", 40)
        tab.until(f"{ROOT}.querySelector('.bell').dataset.state === 'offline'")
    tabs[1].js(f"void {CLIENT}.readAll()")
    tabs[1].unread(0)
    for number in range(3):
        shop_site.send(user, f"Alert {number}")
    desk.context.set_offline(False)
    for tab in tabs:
        tab.live(15)
        tab.unread(3)
        assert tab.titles() == ["Alert 2", "Alert 1", "Alert 0", "before"]
    same(shop_site, user, *tabs)
    desk.one_socket()


@contextmanager
def proxied(port: int) -> Iterator[tuple[Proxy, Any]]:
    """Yield a proxy in its own thread, since Playwright's loop occupies this one, and a function to call it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(work: Any) -> Any:
        async def done() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        future: Future[Any] = asyncio.run_coroutine_threadsafe(done(), loop)
        return future.result(10)

    proxy = Proxy(port)
    call(proxy.listen)
    try:
        yield proxy, call
    finally:
        call(lambda: proxy.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def test_the_connection_is_cut_without_notice(visit: Visit, shop_site: Site, user: str) -> None:
    with proxied(shop_site.backend.port) as (proxy, call):
        desk = visit(user)
        desk.base_url = f"http://127.0.0.1:{proxy.port}"
        tabs = [desk.open(), desk.open()]
        for round in range(4):
            call(proxy.cut_all)
            shop_site.send(user, f"Alert {round}")
            for tab in tabs:
                tab.live(10)
                tab.unread(round + 1)
        call(proxy.refuse)
        call(proxy.cut_all)
        for tab in tabs:
            tab.until(f"{CLIENT}.state === 'offline'")
        shop_site.send(user, "while nobody answered")
        call(proxy.listen)
        for tab in tabs:
            tab.live(40)
            tab.unread(5)
        same(shop_site, user, *tabs)
        desk.context.close()


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """Yield a site that the test may restart."""
    with (
        backends.open_backend("embedded", tmp_path / "var", None) as backend,
        running_site(backend, tmp_path) as site,
    ):
        yield site


def test_the_server_restarts_under_the_page(visit: Visit, own_site: Site, user: str) -> None:
    desk = visit(user, own_site)
    tabs = [desk.open(), desk.open()]
    own_site.send(user, "before")
    for tab in tabs:
        tab.unread(1)
    own_site.processes[0].terminate()
    for tab in tabs:
        tab.until(f"{CLIENT}.state !== 'live'")
    own_site.processes[0].start().wait_ready(own_site.backend.base_url)
    own_site.send(user, "after")
    for tab in tabs:
        tab.live(40)
        tab.unread(2)
        assert tab.titles() == ["after", "before"]
    same(own_site, user, *tabs)
    desk.one_socket()


def test_a_token_that_ends_is_renewed_on_the_same_socket(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    desk.ttl = 6
    tab = desk.open()
    tab.js("window.states = []")
    tab.js(f"{CLIENT}.addEventListener('state', ({{detail}}) => states.push(detail.state))")
    tab.wait(lambda: desk.tokens >= 4, 40, "four tokens were asked for")
    shop_site.send(user, "still there")
    tab.unread(1)
    assert tab.js("states") == []


def test_a_token_that_ends_without_another_ends_the_session(visit: Visit, shop_site: Site, user: str) -> None:
    desk = visit(user)
    tab = desk.open()
    token = shop_site.backend.token(user, 2)
    tab.page.evaluate(
        f"token => {{ {BELL}.removeAttribute('token-url'); {BELL}.setAttribute('token', token) }}", token
    )
    tab.until(f"{CLIENT}.state === 'unauthorized'", 15)
    tab.bell()
    tab.until(f"{ROOT}.querySelector('.panel').textContent.includes('You are signed out')")


def test_a_thousand_alerts_scroll_by(visit: Visit, shop_site: Site, user: str) -> None:
    for number in range(1_000):
        answer = shop_site.api.send(user, {"title": f"Alert {number}", "message": "m", "type": "info"})
        assert answer.status == 202
    shop_site.arrived(user, 1_000, 60)
    tab = visit(user).open()
    tab.unread(1_000)
    tab.bell()
    tab.page.evaluate(
        f"""() => {{
          const scroll = {ROOT}.querySelector('.scroll');
          window.scrolling = setInterval(() => {{ scroll.scrollTop = scroll.scrollHeight }}, 20);
        }}"""
    )
    tab.until(f"{ROOT}.querySelectorAll('article').length === 1000", 60)
    tab.until(f"{ROOT}.querySelector('.foot').textContent === 'That is all'")
    assert tab.titles() == [f"Alert {number}" for number in reversed(range(1_000))]
    tab.js(f"{CLIENT}.readAll()")
    tab.unread(0)
    assert tab.js(f"{ROOT}.querySelectorAll('[data-unread]').length") == 0


def test_tabs_that_come_and_go_hold_one_socket(visit: Visit, shop_site: Site, user: str) -> None:
    desk: Visitor = visit(user)
    tabs = [desk.open()]
    for number in range(6):
        tabs.append(desk.open())
        shop_site.send(user, f"Alert {number}")
        desk.close(tabs.pop(0))
        tabs[0].unread(number + 1)
    desk.one_socket()
    same(shop_site, user, *tabs)
