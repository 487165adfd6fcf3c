"""The demo's categories, which web and worker import; customers can switch off all but the required one."""

from notifier import Reach, define_category

ORDERS, NEWS, ACCOUNT = "shop-orders", "shop-news", "shop-account"

define_category(
    ORDERS,
    title="Orders",
    description="What happens to your orders.",
    reach={"email": Reach(after="5s", unless="read"), "push": Reach()},
)
define_category(
    NEWS,
    title="News and offers",
    description="New in the shop, and cheaper than yesterday.",
    reach={"email": Reach(after="5s", unless="read")},
    defaults={"email": "weekly"},
)
define_category(
    ACCOUNT,
    title="Security",
    description="Sign-ins to your account.",
    required=True,
    reach={"email": Reach()},
)
