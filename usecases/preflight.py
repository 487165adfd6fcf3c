"""Start-up checks, before a process takes traffic; each failure is one actionable line.

A fault, or a secret copied from an example, stops the start. A weakness is only logged.
"""

import logging
import sys
from collections.abc import Iterator

from models import schema
from monitoring.logs import configure
from notifier.core.errors import DatabaseUnavailable, SettingError
from notifier.core.keys import KeyRing
from notifier.outbox.engine import Database, make_engine
from notifier.settings import PREFIX, Settings
from usecases import definitions

#: How secrets begin that were copied from the documentation.
EXAMPLES = ("change", "example", "default", "password", "your-", "your_")
SECRET_VARIETY = 8  # different characters; 32 random hex digits have fewer once in 10^7
KEY_LENGTH = 16  # characters
SHORTEST_KEY = 8  # below it the start is refused

log = logging.getLogger("usecases.preflight")


def check(settings: Settings) -> None:
    """Check secrets and database. Raise SettingError with a line for each fault; log each weakness."""
    definitions.read_file(settings)
    _stop_for([*_examples(settings), *_guessable(settings), *_schema(settings)])
    for weakness in _weaknesses(settings):
        log.warning("%s", weakness)


def check_database(settings: Settings) -> None:
    """Check only the database, for a worker, which has no secrets. Raises SettingError."""
    _stop_for([*_schema(settings)])


def _stop_for(faults: list[str]) -> None:
    if faults:
        raise SettingError("\n".join(faults))


def _examples(settings: Settings) -> Iterator[str]:
    """Yield a line for each secret that was copied from an example; not when all is embedded."""
    if settings.embedded:
        return
    if settings.signing_secret().lower().startswith(EXAMPLES):
        yield f"{PREFIX}SECRET: is an example; make one: openssl rand -hex 32"
    if any(key.secret.lower().startswith(EXAMPLES) for key in KeyRing(settings.backend_keys())):
        yield f"{PREFIX}API_KEYS: one is an example; make one: openssl rand -hex 24"


def _guessable(settings: Settings) -> Iterator[str]:
    """Yield a line when a key is so short that it can be guessed."""
    if settings.embedded:
        return
    keys = [key.secret.lower() for key in KeyRing(settings.backend_keys())]
    if any(len(key) < SHORTEST_KEY and not key.startswith(EXAMPLES) for key in keys):
        yield (
            f"{PREFIX}API_KEYS: one is shorter than {SHORTEST_KEY} characters; make one: openssl rand -hex 24"
        )


def _weaknesses(settings: Settings) -> Iterator[str]:
    if not settings.loopback and settings.demo:
        yield f"{PREFIX}DEMO: anybody who reaches {settings.host} gets a token of the demo's customers"
    if settings.embedded:
        if not settings.loopback and settings.demo is None:
            yield f"{PREFIX}HOST: others can reach {settings.host}, so the demo is off ({PREFIX}DEMO=1: on)"
        return
    if len(set(settings.signing_secret())) < SECRET_VARIETY:
        yield f"{PREFIX}SECRET: is weak; make one: openssl rand -hex 32"
    keys = [key.secret for key in KeyRing(settings.backend_keys())]
    if any(len(key) < KEY_LENGTH for key in keys):
        yield f"{PREFIX}API_KEYS: one is shorter than {KEY_LENGTH} characters; make one: openssl rand -hex 24"
    if settings.signing_secret() in keys:
        yield f"{PREFIX}API_KEYS: one is the secret that signs tokens; a backend could sign any user's token"


def _schema(settings: Settings) -> Iterator[str]:
    database = Database(make_engine(settings.database_url, pool_size=1))
    try:
        found = schema.compare(database)
    except DatabaseUnavailable as exc:
        # No reason to stop: callers get 503 until it answers.
        log.warning("%sDATABASE_URL: %s", PREFIX, exc)
        return
    finally:
        database.dispose()
    if found == schema.BEHIND:
        yield f"{PREFIX}DATABASE_URL: lacks the migration {schema.newest()}; run: notifier migrate"
    if found == schema.AHEAD:
        # This happens during an upgrade; the previous version works with the newer schema.
        log.warning("%sDATABASE_URL: a later version has migrated it; upgrade this one soon", PREFIX)


if __name__ == "__main__":
    _settings = Settings.load()
    configure(_settings)
    try:
        check(_settings)
    except SettingError as _exc:
        sys.stderr.write(f"{_exc}\n")
        sys.exit(2)
