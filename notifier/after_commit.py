"""Run actions after the commit of a SQLAlchemy session's current transaction.

Actions of a released savepoint wait for the outer commit; a rollback drops the actions inside it.
"""

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

PENDING = "notifier.pending"  # key in Session.info: the actions of each transaction

Pending = dict[SessionTransaction | None, list[Callable[[], None]]]


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Call `action` after the session's commit, or never; a session without a transaction begins one."""
    if not session.in_transaction():
        session.begin()
    if PENDING not in session.info:
        session.info[PENDING] = {}
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_transaction_end", _ended)
    session.info[PENDING].setdefault(_innermost(session), []).append(action)


def _innermost(session: Session) -> SessionTransaction | None:
    return session.get_nested_transaction() or session.get_transaction()


def _committed(session: Session) -> None:
    pending: Pending = session.info[PENDING]
    transaction = _innermost(session)
    actions = pending.pop(transaction, [])
    if transaction is not None and transaction.nested:
        # Only a savepoint was released: nobody else can see the rows yet.
        pending.setdefault(transaction.parent, []).extend(actions)
        return
    for action in actions:
        action()


def _ended(session: Session, transaction: SessionTransaction) -> None:
    session.info[PENDING].pop(transaction, None)  # what it still holds was rolled back
