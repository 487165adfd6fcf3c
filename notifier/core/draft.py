"""A draft: the checked and completed input of one call, ready to be stored.

The HTTP API, the Python API and the Celery task all use it, so that they refuse the same input with the
same errors. `notifier.outbox.accept` stores drafts unchanged. Pure.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from uuid_utils import uuid7

from notifier.core.checks import check_audience, check_user_id
from notifier.core.errors import InvalidInput, Problem
from notifier.core.events import EventType, event_type
from notifier.core.keys import SYSTEM
from notifier.core.life import PLAIN, Life, check_life

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAX_KEY = 255  # characters of an idempotency key
MAX_SENDER = 128  # characters of a sender's name
MAX_BATCH = 1_000  # notifications that are sent together
BULK_OVER = 100  # recipients; larger audiences are dispatched in chunks, in a lane of their own


@dataclass(frozen=True, slots=True)
class Draft:
    """A notification that keeps every rule.

    Attributes:
        id: a UUID; a new one (version 7: sortable by time, RFC 9562) unless the caller gave one.
        own_id: whether the caller gave it.
        event: its event's name.
        data: its content, as plain JSON values.
        audience: the recipients, each once.
        sender: the sender's name, the frame's `from`.
        key: the sender's idempotency key.
        life: when it goes out, until when it counts, and so on.
    """

    id: str
    own_id: bool
    event: EventType
    data: dict[str, Any]
    audience: list[str]
    sender: str = SYSTEM
    key: str | None = None
    life: Life = PLAIN

    @property
    def bulk(self) -> bool:
        """Whether it is dispatched in chunks."""
        return len(self.audience) > BULK_OVER

    def body_hash(self) -> str:
        """Return a hash of the body, to compare calls with the same id or key."""
        body: list[Any] = [self.event.name, self.data, self.audience, *([self.id] if self.own_id else [])]
        if self.life.given:
            body.append({"life": self.life.given})
        return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def draft(
    *,
    user_id: object = None,
    user_ids: object = None,
    event: object = "alert",
    data: object = None,
    id: object = None,
    sender: str = SYSTEM,
    key: str | None = None,
    plain: dict[str, Any] | None = None,
    **life: object,
) -> Draft:
    """Check one call's input; `life` are fields of `notifier.core.life`.

    `plain`: its data, if `EventType.validate_all` has returned it.

    Raises InvalidInput, which names every problem at once.
    """
    problems: list[Problem] = []

    def attempt(check: Any, *args: Any) -> Any:
        try:
            return check(*args)
        except InvalidInput as exc:
            problems.extend(exc.problems)
            return None

    audience = attempt(_audience, user_id, user_ids)
    kind = attempt(event_type, event)
    if plain is None and kind:
        plain = attempt(kind.validate, data)
    known_id = attempt(check_id, id) if id is not None else str(uuid7())
    living = check_life(kind, life, problems) if kind else PLAIN
    attempt(check_sender, sender)
    if key is not None:
        attempt(check_key, key)
    if problems or plain is None:
        raise InvalidInput(problems=problems)
    return Draft(known_id, id is not None, kind, plain, audience, sender, key, living)


def _audience(user_id: object, user_ids: object) -> list[str]:
    if (user_id is None) == (user_ids is None):
        raise InvalidInput(problems=[{"loc": ["user_id"], "msg": "give exactly one of user_id and user_ids"}])
    if user_id is not None:
        return [check_user_id(user_id)]
    if isinstance(user_ids, str | Mapping) or not isinstance(user_ids, Iterable):
        raise InvalidInput(problems=[{"loc": ["user_ids"], "msg": "must be a list of user ids"}])
    return check_audience(user_ids)


def check_id(id: object, *loc: str | int) -> str:
    """Return `id` in canonical form if it is a UUID. Raises InvalidInput."""
    text = str(id).lower()
    if not UUID.fullmatch(text):
        raise InvalidInput(problems=[{"loc": list(loc) or ["id"], "msg": "must be a UUID"}])
    return text


def check_sender(sender: str) -> str:
    """Return `sender` if it can be a sender's name: 1-128 printable characters. Raises InvalidInput."""
    if not 1 <= len(sender) <= MAX_SENDER or not sender.isprintable():
        raise InvalidInput(
            problems=[{"loc": ["sender"], "msg": f"must have 1 to {MAX_SENDER} printable characters"}]
        )
    return sender


def check_key(key: object) -> str:
    """Return `key` if it can be an idempotency key: 1-255 printable characters. Raises InvalidInput."""
    if not isinstance(key, str) or not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        raise InvalidInput(
            problems=[{"loc": ["Idempotency-Key"], "msg": f"must have 1 to {MAX_KEY} printable characters"}]
        )
    return key
