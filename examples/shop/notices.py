"""Notices of the shop that are not about an order. Nothing here knows Flask."""

from examples.shop.categories import ACCOUNT, NEWS
from notifier import Alert, send_notification

OFFER = Alert(title="Teapots are cheaper", message="Until Sunday, ceramic teapots cost € 29.00.", type="info")
SIGN_IN = Alert(title="New sign-in", message="Somebody signed in as you, in Oslo.", type="warning")
NOTICES = {"offer": (NEWS, OFFER), "sign-in": (ACCOUNT, SIGN_IN)}


def tell(customer_id: str, kind: str) -> None:
    """Send one of NOTICES to a customer."""
    category, alert = NOTICES[kind]
    send_notification(customer_id, alert, category=category)
