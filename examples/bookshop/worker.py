"""The bookshop's own Celery, on Redis: `celery -A worker worker`."""

import os

from app import create_app
from celery import Celery, shared_task
from notices import notifier

from notifier import Alert

celery = Celery(
    "bookshop",
    broker=os.environ.get("SHOP_REDIS", "redis://127.0.0.1:6379/0"),
    backend=os.environ.get("SHOP_REDIS", "redis://127.0.0.1:6379/0"),
)
flask_app = create_app()


@shared_task
def remind(user_id: str, book: str) -> str:
    """Remind a customer that a book waits."""
    with flask_app.app_context():
        alert = Alert(title="Still here", message=f"“{book}” waits for you.", type="info")
        return notifier.send(user_id, alert, session=None)
