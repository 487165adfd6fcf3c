"""The demo's category, which web and worker import: an order's alert becomes a mail when nobody reads it."""

from notifier import Reach, define_category

ORDERS = "shop-orders"
define_category(
    ORDERS,
    title="Orders",
    description="What happens to your orders.",
    reach={"email": Reach(after="5s", unless="read"), "push": Reach()},
)
