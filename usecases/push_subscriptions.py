"""A user's browsers that get push messages."""

from functools import partial

from cryptography.hazmat.primitives.asymmetric import ec

from models.store import addresses
from notifier.core.errors import InvalidInput, Problem
from notifier.outbox import clock
from notifier.outbox.engine import Connection, Database
from notifier.settings import Settings
from usecases import push_endpoint
from usecases.vapid import from_base64url

MAX_SUBSCRIPTIONS = 20  # of one user
AUTH_BYTES = 16


def subscribe(
    database: Database, settings: Settings, user_id: str, endpoint: str, *, p256dh: str, auth: str
) -> None:
    """Send this user's push messages to a browser too; from now on to no other user's.

    Of more than 20, the one that was longest without a success goes.

    Raises InvalidInput and DatabaseUnavailable.
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

    database.run(work)


def unsubscribe(database: Database, user_id: str, endpoint: str) -> None:
    """Send no more to a browser; nothing when it is not this user's. Raises DatabaseUnavailable."""
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
