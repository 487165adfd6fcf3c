"""nginx and Caddy in front, with TLS and the configuration of docs/deploy.md; Chromium through them."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass

import psutil
import pytest
from playwright.sync_api import Browser
from websockets.exceptions import InvalidStatus

from tests.acceptance.browser import CLIENT, Tab, Visit, Visitor, chrome, shop_site, visit
from tests.harness import backends
from tests.harness.caddy import PrivateCaddy
from tests.harness.certificate import Certificate, self_signed
from tests.harness.http_client import Http
from tests.harness.nginx import PrivateNginx
from tests.harness.pages import blocks
from tests.harness.plain_socket import Socket
from tests.harness.site import Site, running_site
from tests.harness.waiting import until

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser

API_KEY = "key-of-the-tests-0123456789"
SOCKETS_PER_ADDRESS = 3


def of_page(language: str, changes: Mapping[str, str]) -> str:
    """The page's configuration, with addresses and certificate of this machine."""
    text = blocks("docs/deploy.md", language, "The proxy")[0]
    for there, here in changes.items():
        assert there in text, f"{there!r} is not in the page"
        text = text.replace(there, here)
    return text


def nginx(web: str, certificate: Certificate) -> PrivateNginx:
    """Start nginx in front of `web` (host:port)."""
    proxy = PrivateNginx()
    proxy.configure(
        of_page(
            "nginx",
            {
                "listen 443 ssl;": f"listen 127.0.0.1:{proxy.port} ssl;",
                "notify.example.org": "127.0.0.1",
                "/etc/ssl/notify.crt": str(certificate.path),
                "/etc/ssl/notify.key": str(certificate.key),
                "127.0.0.1:3000": web,
            },
        )
    )
    return proxy


def caddy(web: str, certificate: Certificate) -> PrivateCaddy:
    """Caddy in front of `web` (host:port)."""
    proxy = PrivateCaddy()
    address = f"https://127.0.0.1:{proxy.port} {{\n\ttls {certificate.path} {certificate.key}"
    proxy.configure(of_page("caddy", {"notify.example.org {": address, "127.0.0.1:3000": web}))
    return proxy


@dataclass
class Front:
    """A site with a proxy in front of it; `tls` trusts its certificate."""

    site: Site
    proxy: PrivateNginx | PrivateCaddy
    tls: ssl.SSLContext

    @property
    def url(self) -> str:
        """Its address for callers."""
        return f"https://127.0.0.1:{self.proxy.port}"

    def socket(self, address: str, forged: str) -> Socket:
        """Open a socket from `address` that claims to come from `forged`."""
        url = f"wss://127.0.0.1:{self.proxy.port}/ws"
        return Socket(url, ssl=self.tls, source_address=(address, 0), headers={"X-Forwarded-For": forged})

    def opens(self, address: str) -> bool:
        """Whether a socket from there is accepted, and not refused by the limit."""
        try:
            self.socket(address, "192.0.2.99").close()
        except InvalidStatus as refused:
            if refused.response.status_code != 429:
                raise
            return False
        return True


FRONTS: dict[str, tuple[str, Callable[[str, Certificate], PrivateNginx | PrivateCaddy]]] = {
    "nginx": ("production", nginx),
    "caddy": ("embedded", caddy),
}


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Each proxy in front of `notifier up`, on a backend of its own kind."""
    kind, proxy_of = FRONTS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    rabbit = request.getfixturevalue("rabbit_server") if kind == "production" else None
    certificate = self_signed(folder)
    with ExitStack() as stack:
        backend = stack.enter_context(backends.open_backend(kind, folder / "var", rabbit))
        backend.env.update(
            NOTIFIER_PROXY_HOPS="1",
            NOTIFIER_API_KEYS=API_KEY,
            NOTIFIER_SOCKETS_PER_ADDRESS=str(SOCKETS_PER_ADDRESS),
            NOTIFIER_RESTART_SPREAD="1",
        )
        site = stack.enter_context(running_site(backend, folder))
        proxy = stack.enter_context(proxy_of(f"127.0.0.1:{backend.port}", certificate))
        yield Front(site, proxy, trusting(certificate))


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """Return what our own clients verify certificates with.

    TLS 1.3 sends tickets after the handshake: they wake the reading thread of websockets' client, which then
    reads while the other thread writes, which OpenSSL does not allow. Chromium uses 1.3.
    """
    context = ssl.create_default_context(cafile=certificate.path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def through(visit: Visit, front: Front, user: str) -> Visitor:
    """A browser whose address is the proxy's."""
    visitor = visit(user, front.site, ignore_https_errors=True)
    visitor.base_url = front.url
    return visitor


def comes_back(tab: Tab, what_happens: Callable[[], object]) -> None:
    """Run the block, in which the page loses its socket; wait until it is live again."""
    before = len(tab.sockets)
    what_happens()
    tab.wait(lambda: len(tab.sockets) > before, 30, "it comes back")
    tab.live(30)


def web_restarts(site: Site) -> None:
    """Send SIGHUP to web: its sockets are closed with 1012."""
    for child in psutil.Process(site.processes[0].pid).children():
        if "gunicorn" in " ".join(child.cmdline()):
            child.send_signal(signal.SIGHUP)


def test_the_bell_shows_alerts_through_it_and_reconnects(visit: Visit, front: Front, user: str) -> None:
    tab = through(visit, front, user).open()
    assert tab.sockets[0].url == f"wss://127.0.0.1:{front.proxy.port}/ws"
    front.site.send(user, "Order Shipped")
    tab.unread(1)
    assert tab.titles() == ["Order Shipped"]

    comes_back(tab, front.proxy.restart)
    front.site.send(user, "After a restart of the proxy")
    tab.unread(2)

    comes_back(tab, lambda: web_restarts(front.site))
    front.site.send(user, "After a restart of web")
    tab.unread(3)
    tab.js(f"{CLIENT}.readAll()")
    tab.unread(0)


@pytest.mark.parametrize("front", ["nginx"], indirect=True)
def test_a_reload_of_nginx_leaves_nobody_behind(visit: Visit, front: Front, user: str) -> None:
    before = through(visit, front, user).open()
    master = psutil.Process(int((front.proxy.folder / "nginx.pid").read_text()))
    old = set(master.children())
    master.send_signal(signal.SIGHUP)
    until(lambda: set(master.children()) - old, 10, "nginx has reloaded")
    after = through(visit, front, user).open()
    front.site.send(user, "After a reload")
    before.unread(1)
    after.unread(1)


def test_the_reports_sign_in_is_for_https_alone(chrome: Browser, front: Front) -> None:
    with closing(chrome.new_context(ignore_https_errors=True)) as context:
        page = context.new_page()
        page.goto(f"{front.url}/reports/sign-in")
        page.fill("input[name=key]", API_KEY)
        page.click("button")
        page.wait_for_url(f"{front.url}/reports")
        cookies = context.cookies()
    assert cookies
    assert all(cookie["secure"] and cookie["httpOnly"] for cookie in cookies)


def test_the_api_answers_through_it(front: Front, user: str) -> None:
    with closing(Http(front.url, tls=front.tls)) as http:
        bearer = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"}
        answer = http.request("GET", "/healthz")
        assert answer.status == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert http.request("GET", "/metrics").status == 404
        big = b'{"user_id": "u", "data": "' + b"x" * 1_100_000 + b'"}'
        assert (
            http.request("POST", "/api/notifications", big, bearer)
            .headers["content-type"]
            .startswith("application/problem+json")
        )
    front.site.send(user)


def test_the_limits_count_the_address_that_the_proxy_saw(front: Front, user: str) -> None:
    here, there = "127.0.0.5", "127.0.0.6"
    with ExitStack() as stack:
        for number in range(SOCKETS_PER_ADDRESS):
            socket = stack.enter_context(front.socket(here, forged=f"192.0.2.{number}"))
            socket.enter(front.site.backend.token(user))
        assert not front.opens(here)  # whatever the header claims
        assert front.opens(there)
    until(lambda: front.opens(here), 10, "room again")
