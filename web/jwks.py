"""An identity provider's public keys (JWKS, RFC 7517), from a file or a URL, kept and renewed.

PyJWT's own client caches them too (2.15, `PyJWKClient`), but makes all callers wait under one lock while
it fetches, drops valid keys when they are old, asks again for each token while the provider is down, and
bounds neither the time nor the size of an answer. So it is not used here: known keys are returned at once,
old ones are renewed in the background and stay valid when that fails, and an unknown key id causes a
request only now and then.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jwt
from jwt import PyJWK

from notifier.core.errors import SettingError
from notifier.settings import Settings
from web.jwks_fetch import fetch

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
RSA_BITS = 2048  # at least (NIST SP 800-131A)

log = logging.getLogger(__name__)


class Jwks:
    """The known keys of the provider.

    Args:
        read: returns the key set's document; raises OSError, ValueError or PyJWTError.
        interval: seconds after which the keys are renewed.
        cooldown: seconds between two attempts at least.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[], Any],
        *,
        interval: float,
        cooldown: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._interval = interval
        self._cooldown = cooldown
        self._clock = clock
        self._keys: list[PyJWK] = []
        self._lock = threading.Lock()
        self._tried_at = self._known_at = float("-inf")
        self._failing = False

    @classmethod
    def from_settings(cls, settings: Settings) -> "Jwks | None":
        """Return the keys that NOTIFIER_JWKS names; None without it. Raises SettingError."""
        if not settings.jwks:
            return None
        return cls.open(settings.jwks, interval=settings.jwks_interval, cooldown=settings.jwks_cooldown)

    @classmethod
    def open(cls, where: str, *, interval: float, cooldown: float) -> "Jwks":
        """Return the keys of a URL, which is not requested yet, or of a file, which is read.

        Raises SettingError for a file that is not a key set.
        """
        if "://" in where:
            return cls(lambda: fetch(where), interval=interval, cooldown=cooldown)
        path = Path(where)
        opened = cls(lambda: json.loads(path.read_bytes()), interval=interval, cooldown=cooldown)
        try:
            opened._keys = usable(opened._read())
        except (OSError, ValueError) as exc:
            raise SettingError(f"NOTIFIER_JWKS: {where}: {exc}") from None
        opened._known_at = opened._clock()
        return opened

    def find(self, kid: str | None) -> list[PyJWK]:
        """Return the keys that may have signed a token: those with that id; without one, all.

        Waits for the provider only when no key is known.
        """
        now = self._clock()
        if now - self._known_at > self._interval and now - self._tried_at > self._cooldown:
            self.renew()
        found = self._match(kid)
        if found:
            return found
        with self._lock:  # of several callers that miss at once, one asks and the others use its result
            self._fetch()
        return self._match(kid)

    def renew(self) -> None:
        """Fetch the keys in the background, without waiting."""

        def run() -> None:
            with self._lock:
                self._fetch()

        if not self._lock.locked():
            threading.Thread(target=run, name="jwks", daemon=True).start()

    def _match(self, kid: str | None) -> list[PyJWK]:
        return [key for key in self._keys if kid is None or key.key_id == kid]

    def _fetch(self) -> None:
        """Fetch the keys; called with the lock held."""
        if self._clock() - self._tried_at <= self._cooldown:
            return
        self._tried_at = self._clock()
        try:
            keys = usable(self._read())
        except (OSError, ValueError, jwt.PyJWTError) as exc:
            if not self._failing:
                log.warning("NOTIFIER_JWKS cannot be read, continuing with %d keys: error=%s",
                            len(self._keys), exc)  # fmt: skip
            self._failing = True
            return
        finally:
            self._tried_at = self._clock()
        if self._failing:
            log.warning("NOTIFIER_JWKS can be read again")
        self._failing = False
        self._keys, self._known_at = keys, self._clock()
        log.info("keys of the identity provider: %d", len(keys))


def usable(document: Any) -> list[PyJWK]:
    """Return the keys of a JWKS that can check a user token. Raises ValueError when there is none.

    Others are ignored: keys for encryption, symmetric and private ones (they do not belong there), short
    ones, other algorithms.
    """
    given = document.get("keys") if isinstance(document, Mapping) else None
    keys = [key for each in given if (key := _public(each))] if isinstance(given, list) else []
    if not keys:
        raise ValueError(f"no key for {', '.join(sorted(ALGORITHMS))} in it")
    return keys


def _public(each: Any) -> PyJWK | None:
    if not isinstance(each, dict) or each.get("use", "sig") != "sig" or "d" in each or "k" in each:
        return None
    try:
        key = PyJWK(each)
    except Exception as exc:  # noqa: BLE001  whatever the provider wrote there
        log.debug("a key is ignored: kid=%r error=%s", each.get("kid"), type(exc).__name__)
        return None
    bits = getattr(key.key, "key_size", RSA_BITS) if key.algorithm_name == "RS256" else RSA_BITS
    return key if key.algorithm_name in ALGORITHMS and bits >= RSA_BITS else None
