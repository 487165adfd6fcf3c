"""The bundle in Chromium: as a module and as a classic script, under the strict policy, and quick on a slow line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.browser import POLICY, Tab, Visit, Visitor, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

MANIFEST: dict[str, dict[str, dict[str, str]]] = json.loads(
    (Path(__file__).parents[2] / "client" / "bundle" / "manifest.json").read_text("utf-8")
)
PAGE = """<!doctype html>
<html lang="{lang}"><meta charset="utf-8"><title>Test page</title>{scripts}
<body><notification-badge id="messages" type="messages" for="bell"></notification-badge>
<notification-bell id="bell" token-url="/test/token"></notification-bell></body></html>"""
MODULES = '<script type="module" src="/client/bell.js"></script><script type="module" src="/client/badge.js"></script>'


def tag(name: str, kind: str) -> str:
    """Return the script's tag with its hashed name and its integrity."""
    file = MANIFEST[name][kind]
    how = "defer" if kind == "classic" else 'type="module"'
    return f'<script {how} src="/client/bundle/{file["file"]}" integrity="{file["integrity"]}"></script>'


def opened(visitor: Visitor, scripts: str, lang: str = "en") -> Tab:
    """Open a tab with a page of these scripts."""

    def answer(route: Route) -> None:
        body = PAGE.format(scripts=scripts, lang=lang)
        route.fulfill(body=body, content_type="text/html", headers={"Content-Security-Policy": POLICY})

    visitor.context.route(re.compile("/test/bundle"), answer)
    tab = Tab(visitor.context.new_page(), visitor)
    visitor.tabs.append(tab)
    tab.page.goto(f"{visitor.base_url}/test/bundle")
    return tab


@pytest.mark.parametrize("kind", ["module", "classic"])
def test_the_bell_of_the_bundle(visit: Visit, shop_site: Site, user: str, kind: str) -> None:
    shop_site.send(user, "Before")
    tab = opened(visit(user), tag("words-de", kind) + tag("bell", kind), "de").live()
    tab.unread(1)
    shop_site.api.badge(user, "messages", 3)
    expect(tab.page.locator("#messages")).to_have_text("3")
    tab.bell()
    expect(tab.page.locator("#bell h2")).to_have_text("Mitteilungen")
    expect(tab.page.locator("#bell article .title")).to_have_text("Before")
    # What is loaded later has a name with a hash too.
    with tab.page.expect_request(f"**/client/bundle/{MANIFEST['preferences']['module']['file']}"):
        tab.page.get_by_role("button", name="Mitteilungen einstellen").click()
    expect(tab.page.get_by_role("heading", name="Ruhezeiten")).to_be_visible()


def test_the_classic_script_has_one_global(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit(user), tag("notifier", "classic"))
    state = tab.page.evaluate(
        """async () => {
            const token = async () => (await fetch("/test/token")).text();
            const client = new LiveNotifications.NotifierClient({ token });
            await new Promise((done) => {
                client.addEventListener("state", ({ detail }) => detail.state === "live" && done());
                client.connect();
            });
            return client.state;
        }"""
    )
    assert state == "live"


def test_the_bundle_and_single_modules_live_on_one_page(visit: Visit, shop_site: Site, user: str) -> None:
    shop_site.send(user, "Before")
    scripts = (
        tag("bell", "module") + '<script type="module" src="/client/bell-words-de.js"></script>' + MODULES
    )
    tab = opened(visit(user), scripts, "en").live()
    tab.unread(1)
    tab.js("document.querySelector('#bell').setAttribute('lang', 'de')")
    tab.bell()
    expect(tab.page.locator("#bell h2")).to_have_text("Mitteilungen")


def until_the_bell(visitor: Visitor, scripts: str) -> tuple[float, int]:
    """Return the milliseconds until the bell is shown with a round trip of 600 ms and no cache, and its files."""
    page = visitor.context.new_page()
    network = visitor.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 600, "downloadThroughput": -1, "uploadThroughput": -1}
    network.send("Network.emulateNetworkConditions", slow)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    body = PAGE.format(scripts=scripts, lang="en")
    page.route(re.compile("/test/bundle"), lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{visitor.base_url}/test/bundle", wait_until="commit")
    page.wait_for_function("document.querySelector('#bell')?.shadowRoot?.querySelector('.bell')")
    took: float = page.evaluate("performance.now()")
    page.close()
    return took, sum("/client/" in url for url in asked)


@pytest.mark.alone
def test_the_bell_is_there_sooner_on_a_slow_line(visit: Visit, user: str) -> None:
    modules, files = until_the_bell(visit(user), MODULES)
    bundle, file = until_the_bell(visit(user), tag("bell", "module"))
    print(
        f"until the bell at 600 ms latency: {modules:.0f} ms with {files} modules, {bundle:.0f} ms with the bundle"
    )
    assert file == 1
    assert bundle < modules / 2
