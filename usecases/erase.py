"""Erase a user: in short steps, so that nobody else waits, and again as often as it is asked for."""

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from functools import partial
from pathlib import Path

from models.store import erase as store
from models.store import rejected
from models.store.erase_steps import STEPS
from notifier.broker.topology import LOOK_AT_REVOCATIONS
from notifier.core.checks import check_user_id
from notifier.core.errors import BrokerUnavailable, DatabaseLocked
from notifier.core.log_throttle import LogThrottle
from notifier.outbox.engine import Connection, Database
from notifier.outbox.types import now
from usecases.change_entries import Publishes

log = logging.getLogger(__name__)
throttled = LogThrottle(log)

ROWS = 200  # handled by one transaction at most
PATIENCE = 20.0  # seconds to wait for somebody else's lock of the inbox
SETTLE = 0.6  # seconds in which gateways have written what closing sockets left
PAUSE = 0.05  # seconds between two steps at most; as long as the step before took
MAILS = 500  # looked up at once


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did.

    Attributes:
        counts: kind -> rows that are gone.
        left: rows that are left, because the time was over; 0: the user is erased.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    left: int = 0


def erase(
    database: Database,
    publisher: Publishes,
    user_id: object,
    *,
    mail: Path,
    seconds: float | None = None,
    progress: Callable[[Mapping[str, int]], None] = lambda _: None,
    look: Callable[[], None] = lambda: None,
) -> Erased:
    """Erase a user; return what is gone. To repeat it goes on, or changes nothing.

    Args:
        database: where everything is.
        publisher: tells the gateways to close the user's sockets.
        user_id: who.
        mail: the folder with the mails of an embedded site.
        seconds: after which to stop with something left; None: never.
        progress: called after each step with the counts so far.
        look: lets this process's gateway read the revocations at once.

    Raises:
        InvalidInput: `user_id` cannot be a user id.
        DatabaseUnavailable: to repeat it goes on.
    """
    known = check_user_id(user_id)
    until = None if seconds is None else time.monotonic() + seconds
    counts: Counter[str] = Counter()
    _forget_messages(database, known, counts)
    if not database.run_patiently(lambda c: store.begin(c, known, now=now()), PATIENCE):
        return Erased(dict(counts))
    _tell(publisher, look)
    began = time.monotonic()
    with database.read() as connection:
        mailboxes = store.mailboxes(connection, known)
        before = store.writers(connection)
    _forget_mails(database, known, mail, mailboxes, counts)
    while True:
        for step in STEPS:
            while done := _step(database, partial(step, user_id=known, limit=ROWS)):
                counts.update(done)
                progress(counts)
                if until is not None and time.monotonic() >= until:
                    return _unfinished(database, known, counts)
        # A gateway may write once more what a socket left.
        time.sleep(max(0.0, SETTLE - (time.monotonic() - began)))
        ended = _ended(database, before, until)
        if ended and database.run_patiently(lambda c: store.finish(c, known, now=now()), PATIENCE):
            break
        if until is not None and time.monotonic() >= until:
            return _unfinished(database, known, counts)
    _forget_mails(database, known, mail, mailboxes, counts)
    with database.probe() as connection:
        store.shorten(connection)
    _tell(publisher, look)
    return Erased({name: count for name, count in counts.items() if count})


def _ended(database: Database, writers: frozenset[str], until: float | None) -> bool:
    """Wait until these transactions have ended; return whether they have.

    Raises DatabaseLocked when there is no `until`, and one has not ended within PATIENCE.
    """
    if not writers:
        return True
    seconds = PATIENCE if until is None else until - time.monotonic()
    try:
        database.run_patiently(lambda c: store.check_ended(c, writers), seconds)
    except DatabaseLocked:
        if until is None:
            raise
        return False
    return True


def _step(database: Database, step: Callable[..., Mapping[str, int]]) -> Mapping[str, int]:
    began = time.monotonic()
    done = database.run_patiently(partial(_wiping, step), PATIENCE)
    if done:
        time.sleep(min(PAUSE, time.monotonic() - began))
    return done


def _wiping(step: Callable[..., Mapping[str, int]], connection: Connection) -> Mapping[str, int]:
    store.wipe(connection)
    return step(connection, now=now())


def _unfinished(database: Database, user_id: str, counts: Mapping[str, int]) -> Erased:
    with database.read() as connection:
        left = sum(store.left(connection, user_id).values())
    return Erased(dict(counts), max(1, left))


def _tell(publisher: Publishes, look: Callable[[], None]) -> None:
    try:
        publisher.publish([LOOK_AT_REVOCATIONS])
    except BrokerUnavailable as exc:
        throttled.warning("erasure not published, gateways will find it: error=%s", exc)
    look()


def _forget_messages(database: Database, user_id: str, counts: Counter[str]) -> None:
    """Delete rejected messages of the broker that name the user."""
    after: str | None = None
    while True:
        with database.read() as connection:
            found, after = rejected.mentioning(connection, user_id, after=after, limit=ROWS)
        if found:
            counts["rejected_messages"] += database.run(partial(rejected.delete, ids=found))
        if after is None:
            return


def _forget_mails(
    database: Database, user_id: str, folder: Path, mailboxes: list[str], counts: Counter[str]
) -> None:
    """Delete the mails to the user that an embedded site keeps as files."""
    if not folder.is_dir():
        return
    after = 0
    while True:
        with database.read() as connection:
            rows = store.mail_names(connection, user_id, after=after, limit=MAILS)
        for _, name in rows:
            if Path(name).name == name and name.endswith(".eml"):
                counts["mails"] += _unlink(folder / name)
        if len(rows) < MAILS:
            break
        after = rows[-1].id
    for path in folder.glob("*.eml") if mailboxes else ():
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            to = BytesHeaderParser().parse(file).get_all("To", [])
            if not {address for _, address in getaddresses(map(str, to))}.isdisjoint(mailboxes):
                counts["mails"] += _unlink(path)


def _unlink(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return 1
