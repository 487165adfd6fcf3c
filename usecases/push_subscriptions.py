"""Push subscriptions of a user's browsers."""

from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec

from models.store import addresses, erased
from notifier.core.errors import InvalidInput, Problem
from notifier.outbox import clock
from notifier.outbox.engine import Connection, Database
from notifier.settings import Settings
from usecases import push_endpoint
from usecases.vapid import from_base64url

MAX_SUBSCRIPTIONS = 20  # of one user
AUTH_BYTES = 16


def subscribe(
    database: Database,
    settings: Settings,
    user_id: str,
    endpoint: str,
    *,
    p256dh: str,
    auth: str,
    issued_at: float,
) -> None:
    """Subscribe a browser to this user's push messages, and to no other user's.

    Beyond 20 subscriptions, the one with the oldest success is deleted.

    Raises InvalidInput, DatabaseUnavailable, and Unauthenticated when the user was erased after the token was
    issued (`issued_at`, seconds since 1970).
    """
    problems: list[Problem] = []
    if wrong := push_endpoint.problem(endpoint, settings.push_hosts):
        problems.append({"loc": ["endpoint"], "msg": wrong})
    if not _is_point(p256dh):
        problems.append({"loc": ["keys", "p256dh"], "msg": "must be a public key on P-256, in base64url"})
    if not _is_secret(auth):
        problems.append({"loc": ["keys", "auth"], "msg": f"must be {AUTH_BYTES} bytes in base64url"})
    if problems:
        raise InvalidInput(problems=problems)

    def work(connection: Connection) -> None:
        addresses.subscribe(
            connection,
            user_id,
            endpoint,
            {"p256dh": p256dh, "auth": auth},
            present=clock.present(connection),
            limit=MAX_SUBSCRIPTIONS,
        )
        erased.refuse_outdated(connection, user_id, issued_at)

    database.run(work)


def unsubscribe(database: Database, user_id: str, endpoint: str) -> None:
    """Unsubscribe a browser; does nothing when it is not this user's. Raises DatabaseUnavailable."""
    database.run(partial(addresses.unsubscribe, user_id=user_id, endpoint=endpoint))


def _is_point(text: str) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(text))
    except ValueError:
        return False
    return True


def _is_secret(text: str) -> bool:
    try:
        return len(from_base64url(text)) == AUTH_BYTES
    except ValueError:
        return False
