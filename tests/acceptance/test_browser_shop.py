"""The demo's page: ship an order, and the alert is on screen in every tab."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.acceptance.browser import chrome, shop_site
from tests.harness.site import Site
from tests.harness.waiting import crowding

__all__ = ["chrome", "shop_site"]
pytestmark = pytest.mark.browser


def opened(browser: Browser, site: Site, customer: str) -> tuple[Page, Page]:
    """Two tabs of one browser on the shop's page."""
    context = browser.new_context()
    pages = (context.new_page(), context.new_page())
    for page in pages:
        page.goto(f"{site.backend.base_url}/?customer={customer}")
        expect(page.locator("notification-bell .bell")).to_have_attribute("data-state", "live")
    return pages


def ship(page: Page, order: int) -> None:
    with page.expect_response(f"**/orders/{order}/ship") as answer:
        page.get_by_role("button", name=f"Ship order {order}").click()
    assert answer.value.json() == {"status": True}


def orders(page: Page) -> list[int]:
    """The customer's orders, the oldest first."""
    found: list[str] = page.locator("[data-order]").evaluate_all("rows => rows.map(row => row.dataset.order)")
    return sorted(map(int, found))


# Noted by the page itself: the test looks at it only once a second.
NOTE_WHEN_SHOWN = """() => {
    const root = document.querySelector("notification-bell").shadowRoot;
    window.shownAt = new Promise((shown) => {
        new MutationObserver(() => root.querySelector(".toast a") && shown(Date.now()))
            .observe(root, { childList: true, subtree: true });
    });
}"""


@pytest.mark.alone
def test_ship_and_the_alert_is_on_screen_in_two_tabs_within_a_second(
    chrome: Browser, shop_site: Site
) -> None:
    here, there = opened(chrome, shop_site, "customer-1")
    first, second, third = orders(here)
    for page in (here, there):
        page.evaluate(NOTE_WHEN_SHOWN)
    here.bring_to_front()  # a user presses a button in the visible tab; others are drawn once a second
    start = time.time()
    ship(here, first)
    took = max(float(page.evaluate("window.shownAt")) for page in (here, there)) / 1000 - start
    print(f"on screen in both tabs after {took * 1000:.0f} ms")
    assert took < 1 * crowding()
    for page in (here, there):
        toast = page.locator("notification-bell .toast")
        expect(toast).to_contain_text(f"Your order #{first} has been shipped!")
        expect(toast.get_by_role("link", name="Track Order")).to_be_visible()
        expect(page.locator("notification-bell .count")).to_have_text("1")
        expect(page.locator(f"[data-order='{first}'] .state")).to_be_visible()

    context = here.context
    there.close()
    ship(here, second)
    ship(here, third)
    expect(here.locator("notification-bell .count")).to_have_text("3")
    here.close()
    back = context.new_page()
    back.goto(f"{shop_site.backend.base_url}/?customer=customer-1")
    expect(back.locator("notification-bell .count")).to_have_text("3")
    expect(back).to_have_title("(3) Little Shop")
    back.locator("notification-bell .bell").click()
    messages = back.locator("notification-bell article .message")
    expect(messages).to_have_text(
        [f"Your order #{order} has been shipped!" for order in (third, second, first)]
    )

    back.locator("notification-bell article").get_by_role("link", name="Track Order").first.click()
    expect(back).to_have_url(re.compile(rf"/orders/{third}/track$"))
    expect(back.get_by_role("heading", name=f"Order #{third}")).to_be_visible()
    # The click has marked it as read, although it left the page at the same time.
    expect(back.locator("notification-bell .count")).to_have_text("2")
    context.close()


def test_badges_follow_in_every_tab(chrome: Browser, shop_site: Site) -> None:
    here, there = opened(chrome, shop_site, "customer-2")
    for kind, times in (("messages", 3), ("notifications", 1), ("tasks", 2)):
        for number in range(times):
            here.get_by_role("button", name=f"One more of {kind}").click()
            for page in (here, there):
                expect(page.locator(f"notification-badge[type={kind}]")).to_have_text(str(number + 1))
    here.get_by_role("button", name="One less of notifications").click()
    for page in (here, there):
        expect(page.locator("notification-badge[type=notifications]")).to_be_hidden()
        expect(page.locator("[data-badge=notifications] output")).to_have_text("0")
    here.context.close()


def test_the_plain_example_runs_under_its_own_policy(chrome: Browser, shop_site: Site) -> None:
    page = chrome.new_context().new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(f"{shop_site.backend.base_url}/shop/plain.html")
    expect(page.locator("#state")).to_have_text("live")
    shop_site.send("customer-1", "Plain")
    expect(page.locator("#list li").first).to_have_text("● Plain: m")
    page.get_by_role("button", name="Mark all as read").click()
    expect(page.locator("#unread")).to_have_text("0")
    assert trouble == []
    page.context.close()


def test_other_customers_are_not_found(shop_site: Site) -> None:
    with shop_site.user("customer-1") as http:
        assert http.get("/shop/token?customer=somebody-else").status == 404
        assert http.get("/?customer=nobody").status == 404
        assert http.post("/orders/999999/ship", {}).status == 404
        assert http.get("/shop/orders.py").status == 404
        for body in (
            {"type": "tasks", "count": -1},
            {"type": "x", "count": 1},
            {"type": "tasks", "count": 1.5},
        ):
            assert http.post("/shop/badges", {"customer": "customer-1", **body}).status == 422


def test_the_page_of_the_bells_look_shows_it_live(chrome: Browser, shop_site: Site) -> None:
    page = chrome.new_context(viewport={"width": 1000, "height": 700}).new_page()
    page.goto(f"{shop_site.backend.base_url}/shop/theme")
    page.locator(".bell[data-state=live]").wait_for()
    page.get_by_role("button", name="Open the bell").click()
    panel = page.locator("notification-bell .panel")
    expect(panel).to_be_visible()
    page.get_by_label("--bell-surface").fill("#ffeedd")
    expect(panel).to_have_css("background-color", "rgb(255, 238, 221)")
    expect(panel).to_be_visible()
    expect(page.locator("pre")).to_have_text("notification-bell {\n  --bell-surface: #ffeedd;\n}")
    page.get_by_role("button", name="header", exact=True).hover()
    expect(page.locator("notification-bell .head").first).to_have_css("outline-color", "rgb(255, 0, 255)")
    page.context.close()


PLACES = "['.brand', '.badges', '#bell', 'main'].map((name) => { const {x, y, width, height} = \
document.querySelector(name).getBoundingClientRect(); return [name, x, y, width, height]; })"


@pytest.mark.parametrize("width", [360, 1000])
def test_nothing_moves_when_the_bell_arrives(chrome: Browser, shop_site: Site, width: int) -> None:
    page = chrome.new_context(viewport={"width": width, "height": 700}).new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/client/bundle/*", hold)
    page.goto(f"{shop_site.backend.base_url}/?customer=customer-3", wait_until="commit")
    expect(page.locator(".top")).to_have_css("display", "flex")
    expect(page.locator("main h1")).to_be_visible()
    before = page.evaluate(f"() => {PLACES}")
    assert page.evaluate("customElements.get('notification-bell')") is None
    for route in held:
        route.continue_()
    expect(page.locator("#bell .bell")).to_be_visible()
    assert page.evaluate(f"() => {PLACES}") == before
    page.context.close()


def test_each_link_of_the_shop_leads_somewhere(chrome: Browser, shop_site: Site) -> None:
    page = chrome.new_page()
    page.goto(shop_site.backend.base_url)
    for name in ("Dashboard", "HTTP API", "The smallest page with it", "The code of this shop"):
        page.goto(shop_site.backend.base_url)
        with page.expect_response(lambda answer: answer.request.is_navigation_request()) as answered:
            page.get_by_role("link", name=name).click()
        assert answered.value.status in (200, 303), name  # 303: to the dashboard's sign-in
        page.wait_for_load_state()
        assert page.locator("body").inner_text().strip(), name
    page.close()
