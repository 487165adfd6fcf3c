"""A process that commits an order and its alert in one transaction, or neither.

    python -m tests.chaos.producer RUN USER...

Runs until SIGTERM. Its table `chaos_orders` lists what must have been delivered in the end; about every
fifth transaction is rolled back, some of them only to a savepoint.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import uuid

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from notifier import Alert, send_notification
from notifier.core.errors import Unavailable

TABLE = sa.Table(
    "chaos_orders",
    sa.MetaData(),
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("run", sa.String(40)),
    sa.Column("number", sa.Integer),
    sa.Column("user_id", sa.String(128)),
)
PAUSE_SECONDS = 0.08


def order(session: Session, run: str, number: int, user: str) -> None:
    """Insert an order and send its alert, in the session's transaction."""
    identity = str(uuid.uuid4())
    session.execute(TABLE.insert().values(id=identity, run=run, number=number, user_id=user))
    alert = Alert(title=f"Order {number}", message="placed", type="info")
    send_notification(user, alert, id=identity, session=session)


def main() -> None:
    """Send until told to stop."""
    run, users = sys.argv[1], sys.argv[2:]
    url = os.environ.get("NOTIFIER_DATABASE_URL") or f"sqlite:///{os.environ['NOTIFIER_VAR_DIR']}/notifier.db"
    wait = {"timeout": 10} if url.startswith("sqlite") else {"connect_timeout": 5}
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args=wait)
    rng = random.Random(run)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    TABLE.metadata.create_all(engine)
    print("ready", flush=True)
    number = 0
    while not stopping:
        number += 1
        chance = rng.random()
        try:
            with Session(engine) as session, session.begin():
                order(session, run, number, rng.choice(users))
                if chance < 0.1:
                    session.rollback()
                    continue
                if chance < 0.2:
                    with session.begin_nested() as savepoint:
                        order(session, run, -number, rng.choice(users))
                        savepoint.rollback()
        except (DBAPIError, Unavailable) as error:
            print(f"order {number}: {str(error).splitlines()[0]}", flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
