"""The service below a path, behind nginx and Caddy as configured in docs/deploy.md; Chromium through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.browser import chrome, holds
from tests.harness import backends
from tests.harness.caddy import PrivateCaddy
from tests.harness.http_client import Http
from tests.harness.nginx import PrivateNginx
from tests.harness.pages import blocks
from tests.harness.plain_socket import Socket
from tests.harness.site import Site, running_site

__all__ = ["chrome"]
pytestmark = pytest.mark.browser

KEY = "key-of-the-tests-0123456789"
BEARER = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
PREFIX = "/notify"
MAP = "map $http_upgrade $connection_upgrade { '' ''; default upgrade; }\n"


def nginx(number: int, web: str) -> PrivateNginx:
    """The page's lines for nginx in front of `web` (host:port)."""
    proxy = PrivateNginx()
    location = blocks("docs/deploy.md", "nginx", "Below a path")[number].replace("127.0.0.1:3000", web)
    proxy.configure(f"{MAP}server {{\nlisten 127.0.0.1:{proxy.port};\n{location}\n}}\n")
    return proxy


def caddy(number: int, web: str) -> PrivateCaddy:
    """The page's lines for Caddy in front of `web` (host:port)."""
    proxy = PrivateCaddy()
    handler = blocks("docs/deploy.md", "caddy", "Below a path")[number].replace("127.0.0.1:3000", web)
    proxy.configure(f"http://127.0.0.1:{proxy.port} {{\n{handler}\n}}\n")
    return proxy


AS_IT_IS, TAKEN_OFF = 0, 1
FRONTS: dict[str, tuple[Callable[[int, str], PrivateNginx | PrivateCaddy], int, dict[str, str]]] = {
    "nginx, as it is": (nginx, AS_IT_IS, {"NOTIFIER_PREFIX": PREFIX}),
    "nginx, taken off": (nginx, TAKEN_OFF, {}),
    "caddy, as it is": (caddy, AS_IT_IS, {"NOTIFIER_PREFIX": PREFIX}),
    "caddy, taken off": (caddy, TAKEN_OFF, {"NOTIFIER_PREFIX": PREFIX}),
    "nginx, taken off, SCRIPT_NAME": (nginx, TAKEN_OFF, {"SCRIPT_NAME": PREFIX, "NOTIFIER_PROXY_HOPS": "0"}),
}


@dataclass
class Front:
    """A site below a path."""

    site: Site
    origin: str

    @property
    def url(self) -> str:
        """Its address for callers."""
        return self.origin + PREFIX


#: As it is, a path is the service's own matter: one proxy for `make test`.
LONG = "caddy, as it is"


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.long if name == LONG else ()) for name in FRONTS],
)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Yield a site behind each proxy, with each way of removing the path."""
    proxy_of, number, more = FRONTS[request.param]
    folder = tmp_path_factory.mktemp("prefix")
    with ExitStack() as stack:
        backend = stack.enter_context(backends.open_backend("embedded", folder / "var", None))
        backend.env.update({"NOTIFIER_PROXY_HOPS": "1", "NOTIFIER_API_KEYS": KEY, **more})
        site = stack.enter_context(running_site(backend, folder))
        proxy = stack.enter_context(proxy_of(number, f"127.0.0.1:{backend.port}"))
        yield Front(site, f"http://127.0.0.1:{proxy.port}")


def test_every_address_of_the_api_is_below_it(front: Front, user: str) -> None:
    with closing(Http(front.origin)) as http:
        body = b'{"user_id": "%s", "data": {"title": "t", "message": "m", "type": "info"}}' % user.encode()
        accepted = http.request("POST", f"{PREFIX}/api/notifications", body, BEARER)
        assert accepted.status == 202, accepted
        location = accepted.headers["location"]
        assert location == f"{PREFIX}/api/notifications/{accepted.json['id']}"
        assert http.request("GET", location, headers=BEARER).status == 200
        http.request("POST", f"{PREFIX}/api/notifications", body, BEARER)

        page = http.request("GET", f"{PREFIX}/api/reports/notifications?limit=1", headers=BEARER)
        following = page.headers["link"].partition(">")[0].lstrip("<")
        assert following.startswith(f"{PREFIX}/api/reports/notifications?")
        assert http.request("GET", following, headers=BEARER).status == 200

        described = http.request("GET", f"{PREFIX}/openapi.json").json
        assert described["servers"] == [{"url": PREFIX}]
        assert "/api/notifications" in described["paths"]

        sign_in = http.request("GET", f"{PREFIX}/reports")
        assert sign_in.status == 303
        assert urlsplit(sign_in.headers["location"]).path == f"{PREFIX}/reports/sign-in"
        assert http.request("GET", f"{PREFIX}/healthz").status == 200


def test_health_is_at_the_root_too(front: Front) -> None:
    with closing(Http(front.site.backend.base_url)) as http:
        for path in ("/healthz", "/readyz"):
            assert http.request("GET", path).status == 200


@pytest.mark.parametrize("front", ["nginx, as it is"], indirect=True)
def test_nothing_else_is_at_the_root(front: Front) -> None:
    with closing(Http(front.site.backend.base_url)) as http:
        for path in ("/", "/api/inbox", "/openapi.json", "/metrics", "/client/notifier.js", "/reports", "/ws",
                     "/notifyx/healthz", "/x/notify/healthz"):  # fmt: skip
            answer = http.request("GET", path)
            assert answer.status == 404, path
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_socket_below_it_is_live(front: Front, user: str) -> None:
    with Socket(f"{front.url.replace('http', 'ws')}/ws") as socket:
        socket.enter(front.site.backend.token(user))
        with closing(Http(front.origin)) as http:
            body = b'{"user_id": "%s", "type": "tasks", "count": 2}' % user.encode()
            assert http.request("POST", f"{PREFIX}/api/badges", body, BEARER).status == 202
        assert socket.expect("event")["data"] == {"type": "tasks", "count": 2}


@dataclass
class Seen:
    """The requests of a page, and the errors that it logged."""

    asked: list[tuple[str, int]]
    trouble: list[str]


def watched(page: Page) -> Seen:
    seen = Seen([], [])
    page.on("response", lambda answer: seen.asked.append((answer.url, answer.status)))
    page.on("pageerror", lambda error: seen.trouble.append(str(error)))
    page.on("console", lambda said: seen.trouble.append(said.text) if said.type == "error" else None)
    return seen


def all_below(seen: Seen, front: Front) -> None:
    assert seen.asked
    assert not seen.trouble
    assert not [one for one in seen.asked if one[1] >= 400 or not one[0].startswith(f"{front.url}")]


def test_the_shop_and_its_bell_work_below_it(chrome: Browser, front: Front) -> None:
    with closing(chrome.new_context()) as context:
        page = context.new_page()
        seen, sockets = watched(page), []
        page.on("websocket", lambda socket: sockets.append(socket.url))
        page.goto(f"{front.url}/")
        holds(page, "document.querySelector('#bell').client?.state === 'live'")
        assert sockets == [f"{front.url.replace('http', 'ws')}/ws"]
        page.click("[data-ship]")
        holds(page, "document.querySelector('#bell').client.store.unread === 1")
        page.wait_for_selector("[data-shipped]")
        (item,) = page.evaluate(
            "document.querySelector('#bell').client.items.map(({ data }) => data.action.url)"
        )
        assert item.startswith(f"{PREFIX}/orders/")
        page.click("[data-badge=tasks] [data-step='1']")
        holds(page, "document.querySelector('#bell').client.badges.tasks === 1")
        page.goto(front.origin + item)
        holds(page, "document.querySelector('#bell').client?.state === 'live'")
        page.evaluate("document.querySelector('#bell').client.readAll()")
        holds(page, "document.querySelector('#bell').client.store.unread === 0")
        page.click("a.brand")
        page.wait_for_url(f"{front.url}/?customer=*")
        page.goto(f"{front.url}/shop/plain.html")
        holds(page, "document.querySelector('#state').value === 'live'")
        all_below(seen, front)


def test_the_dashboard_works_below_it(chrome: Browser, front: Front) -> None:
    with closing(chrome.new_context()) as context:
        page = context.new_page()
        seen = watched(page)
        page.goto(f"{front.url}/reports")
        page.wait_for_url(f"{front.url}/reports/sign-in")
        page.fill("input[name=key]", KEY)
        page.click("button")
        page.wait_for_url(f"{front.url}/reports")
        (cookie,) = context.cookies()
        assert cookie["path"] == f"{PREFIX}/reports"
        page.click("form.filter button")
        page.wait_for_url(f"{front.url}/reports?*")
        for link in page.eval_on_selector_all(
            "a[href], form", "all => all.map(one => one.href ?? one.action)"
        ):
            assert link.startswith(front.url), link
        page.click("text=Sign out")
        page.wait_for_url(f"{front.url}/reports/sign-in")
        assert context.cookies() == []
        all_below(seen, front)
