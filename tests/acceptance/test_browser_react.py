"""The npm package in an application with Vite, React in StrictMode, strict TypeScript and server rendering."""

from __future__ import annotations

import gzip
import json
import mimetypes
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.acceptance.browser import CLIENT, POLICY, Tab, Visit, Visitor, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
APP = ROOT / "tests" / "client" / "react-app"


def missing(what: str) -> None:
    """Skip; in CI fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def run(folder: Path, *command: str, **env: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=200, env={**os.environ, **env}
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yield the application with its locked tools, and the client as `npm pack` packs it."""
    if shutil.which("npm") is None:
        missing("npm is not installed: the React application needs it")
    folder = tmp_path_factory.mktemp("react") / "app"
    shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "server"))
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    try:
        run(folder, "npm", "ci", *quiet)
    except (AssertionError, subprocess.TimeoutExpired) as exc:
        missing(f"the application's packages cannot be installed: {str(exc)[-500:]}")
    packed = run(
        ROOT / "client", "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", str(folder)
    )
    run(folder, "npm", "install", "--no-save", "--offline", *quiet, f"./{json.loads(packed)[0]['filename']}")
    return folder


@pytest.fixture(scope="module")
def built(app: Path) -> Path:
    """Build it for development: React's development build runs each effect of StrictMode twice."""
    run(app, "npm", "run", "build", "--", "--mode", "development", "--outDir", "dev", NODE_ENV="development")
    return app / "dev"


@pytest.fixture(scope="module")
def rendered(app: Path) -> str:
    """Return the markup that a server renders."""
    run(app, "npm", "run", "build-server")
    done = subprocess.run(["node", "server/server.js"], cwd=app, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def opened(visitor: Visitor, files: Path, replaced: Mapping[str, str] | None = None) -> Tab:
    """A tab with the application, on the service's own origin."""

    def answer(route: Route) -> None:
        path = files / route.request.url.split("/app/")[1]
        body = path.read_text("utf-8")
        for old, new in (replaced or {}).items():
            body = body.replace(old, new)
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": POLICY})

    visitor.context.route(re.compile("/app/"), answer)
    tab = Tab(visitor.context.new_page(), visitor)
    visitor.tabs.append(tab)
    tab.page.goto(f"{visitor.base_url}/app/index.html")
    return tab


def test_typescript_accepts_it_in_its_strictest_mode(app: Path) -> None:
    run(app, "npm", "run", "check")


def test_the_production_build_is_small(app: Path) -> None:
    run(app, "npm", "run", "build")
    sizes = {
        path.name.split("-")[0]: len(gzip.compress(path.read_bytes(), 9))
        for path in (app / "dist" / "assets").glob("*.js")
    }
    print(f"the application's bundle, gzipped: {sizes}")
    assert sizes["bell"] < 24 * 1024, "the bell is a chunk of its own, loaded when it is shown"


def test_a_server_renders_the_bare_elements(rendered: str) -> None:
    assert '<notification-bell no-title="" id="bell"></notification-bell>' in rendered
    assert '<p id="state">connecting</p><p id="unread">0</p><ul></ul>' in rendered


def test_the_hook_and_the_bell_in_strict_mode(visit: Visit, shop_site: Site, user: str, built: Path) -> None:
    shop_site.send(user, "Before")
    tab = opened(visit(user), built).live()
    page = tab.page
    expect(page.locator("#state")).to_have_text("live")
    expect(page.locator("li")).to_have_text(["Before"])
    shop_site.send(user, "Live")
    expect(page.locator("li")).to_have_text(["Live", "Before"])
    expect(page.locator("#unread")).to_have_text("2")
    expect(page.locator("#bell .count")).to_have_text("2")
    shop_site.api.badge(user, "messages", 4)
    expect(page.locator("notification-badge")).to_have_text("4")
    open_sockets = [socket for socket in tab.sockets if not socket.is_closed()]
    assert len(open_sockets) == 1, "effects ran twice, one client is left"

    page.locator("#read").click()
    expect(page.locator("#unread")).to_have_text("0")
    expect(page.locator("li[data-read=true]")).to_have_count(2)
    page.locator("#bell .bell").click()
    expect(page.locator("#bell h2")).to_have_text("News")
    expect(page.locator("#bell article")).to_have_count(2)
    page.keyboard.press("Escape")

    page.locator("#toggle").click()
    tab.wait(lambda: all(socket.is_closed() for socket in tab.sockets), 10, "no socket after it is gone")
    shop_site.send(user, "Meanwhile")
    page.locator("#toggle").click()
    tab.live()
    expect(page.locator("li").first).to_have_text("Meanwhile")


def test_the_servers_markup_is_hydrated(
    visit: Visit, shop_site: Site, user: str, built: Path, rendered: str
) -> None:
    shop_site.send(user, "Before")
    markup = {'<div id="root"></div>': f'<div id="root">{rendered}</div>'}
    tab = opened(visit(user), built, markup)  # React reports in the console what does not match
    tab.until(f"{CLIENT}?.state === 'live'")
    expect(tab.page.locator("li")).to_have_text(["Before"])
