"""The shop's customers, goods and orders, in memory. Nothing here knows Flask or notifications."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, cycle


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer."""

    id: str
    name: str


@dataclass(slots=True)
class Order:
    """An order of one article."""

    id: int
    customer: Customer
    goods: str
    price: str
    shipped: bool = False


CUSTOMERS: Sequence[Customer] = (
    Customer("customer-1", "Ada"),
    Customer("customer-2", "Bruno"),
    Customer("customer-3", "Chiyo"),
)
GOODS = (
    ("Brass desk lamp", "€ 48.00"),
    ("Walnut bookend", "€ 22.50"),
    ("Linen notebook", "€ 9.90"),
    ("Ceramic teapot", "€ 36.00"),
    ("Wool blanket", "€ 79.00"),
)
EACH = 3  # orders that every customer has at the start
KEPT = 50  # orders kept for each customer: the demo may run for weeks


class Orders:
    """All orders, the newest last."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._goods = cycle(GOODS)
        self._orders: dict[int, Order] = {}
        for customer in CUSTOMERS:
            for _ in range(EACH):
                self.place(customer)

    def place(self, customer: Customer) -> Order:
        """Add an order for the next of the goods."""
        goods, price = next(self._goods)
        order = Order(next(self._ids), customer, goods, price)
        self._orders[order.id] = order
        for old in self.of(customer)[KEPT:]:
            del self._orders[old.id]
        return order

    def of(self, customer: Customer) -> list[Order]:
        """Return the customer's orders, the newest first."""
        return [order for order in reversed(self._orders.values()) if order.customer == customer]

    def find(self, order_id: int) -> Order | None:
        """Return the order, or None."""
        return self._orders.get(order_id)

    @contextmanager
    def shipping(self, order: Order) -> Iterator[bool]:
        """Mark the order as shipped, for what is done in the block; yield False if it was shipped before.

        When the block raises, it is not shipped after all.
        """
        first = not order.shipped
        order.shipped = True
        try:
            yield first
        except Exception:
            order.shipped = not first
            raise
