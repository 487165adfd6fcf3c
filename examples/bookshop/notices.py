"""The bookshop's event, its category, and the Flask extension."""

from pydantic import BaseModel

from notifier import Reach, define_category, define_event
from notifier.flask import Notifier

notifier = Notifier()

define_category(
    "orders",
    title="Orders",
    description="What happens to them",
    reach={"email": Reach(after="10m", unless="read")},
)


class BookReady(BaseModel):
    """A book is ready to be collected."""

    book: str
    counter: int


define_event("book-ready", BookReady, category="orders")
