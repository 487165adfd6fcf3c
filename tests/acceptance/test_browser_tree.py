"""What assistive technology is given in each flow, and the bell in forced colours, at 400% and without motion."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.acceptance.browser import CLIENT, ROOT, Tab, Visit, chrome, shop_site, visit
from tests.harness.site import Site

__all__ = ["chrome", "shop_site", "visit"]
pytestmark = pytest.mark.browser


def opened(visit: Visit, site: Site, user: str, **options: object) -> Tab:
    """Return a tab with two entries in the open panel, the newer one with an action and unread."""
    site.send(user, "Older")
    action = {"label": "Track Order", "url": "/orders/7/track"}
    site.api.send(user, {"title": "Newer", "message": "On its way.", "type": "success", "action": action})
    site.arrived(user, 2)
    with site.user(user) as api:
        api.post("/api/inbox/read", {"through": 1})
    tab = visit(user, reduced_motion="reduce", **options).open()
    tab.unread(1)
    tab.bell()
    tab.until(f"{CLIENT}.store.complete && {ROOT}.querySelectorAll('article').length === 2")
    return tab


def panel(tab: Tab) -> Locator:
    return tab.page.get_by_role("dialog", name="Notifications")


def test_the_tree_of_each_flow(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user)
    expect(tab.page.get_by_role("button", name="Notifications, 1 unread", expanded=True)).to_be_visible()
    expect(panel(tab)).to_match_aria_snapshot(
        """
        - dialog "Notifications":
          - heading "Notifications" [level=2]
          - text: 1 unread
          - button "Mark all as read"
          - button "Settings"
          - button "Close"
          - tablist "Notifications":
            - tab "All" [selected]
            - tab "Unread"
            - tab "Archived"
          - tabpanel "All":
            - heading "Today" [level=3]
            - article "Success , Unread Newer":
              - paragraph:
                - text: Success , Unread
                - time: just now
              - paragraph: Newer
              - paragraph: On its way.
              - link "Track Order":
                - /url: /orders/7/track
              - 'button "Mark as read: Newer"'
              - 'button "Snooze: Newer"'
              - 'button "Archive: Newer"'
            - article "Info Older":
              - paragraph:
                - text: Info
                - time: just now
              - paragraph: Older
              - paragraph: m
              - 'button "Mark as unread: Older"'
              - 'button "Snooze: Older"'
              - 'button "Archive: Older"'
            - text: That is all
          - status
          - button "Preferences"
        """
    )
    newer = tab.page.get_by_role("article", name="Newer")
    newer.get_by_role("button", name="Snooze").click()
    expect(newer.get_by_role("menu")).to_match_aria_snapshot(
        """
        - menu "Snooze":
          - menuitem "In an hour"
          - menuitem "Tomorrow morning"
          - menuitem "Monday morning"
          - menuitem "On a date…"
        """
    )
    tab.page.keyboard.press("Escape")
    newer.get_by_role("button", name="Archive").click()
    expect(panel(tab)).to_match_aria_snapshot(
        """
        - dialog "Notifications":
          - tabpanel "All":
            - article "Info Older"
          - status: "Archived: Newer"
          - button "Undo"
          - button "Preferences"
        """
    )
    tab.page.get_by_role("tab", name="Archived").click()
    expect(panel(tab)).to_match_aria_snapshot(
        """
        - tabpanel "Archived":
          - article "Success Newer":
            - 'button "Move to the inbox: Newer"'
        """
    )
    tab.page.get_by_role("tab", name="Unread", exact=True).click()
    expect(panel(tab)).to_match_aria_snapshot(
        """
        - tabpanel "Unread":
          - strong: All read
          - text: What you have not read yet shows up here.
        """
    )


def test_in_forced_colours_the_chosen_tab_can_be_told(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, forced_colors="active")
    edge = "tab => getComputedStyle(tab).borderBlockEndColor"
    chosen, other = (tab.page.get_by_role("tab").nth(number).evaluate(edge) for number in (0, 1))
    assert chosen != other
    expect(tab.page.locator("#bell .count")).to_have_css("forced-color-adjust", "none")


def test_at_400_percent_everything_can_be_reached(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user, viewport={"width": 320, "height": 256})
    tab.page.get_by_role("article").first.get_by_role("button", name="Archive").click()
    for control in tab.page.locator("#bell .panel button:visible, #bell .panel a:visible").all():
        control.scroll_into_view_if_needed()
        box = control.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
        assert box["y"] >= -1
        assert box["y"] + box["height"] <= 257
    assert tab.js(f"{ROOT}.querySelector('.panel').scrollWidth") <= 320


def test_nothing_moves_for_those_who_asked(visit: Visit, shop_site: Site, user: str) -> None:
    tab = opened(visit, shop_site, user)
    moving = f"[...{ROOT}.querySelectorAll('*')].filter(one => getComputedStyle(one).animationName !== 'none').length"
    assert tab.js(moving) == 0
    assert tab.js("document.getAnimations().length") == 0
