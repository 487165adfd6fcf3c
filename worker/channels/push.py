"""The channel `push`: Web Push (RFC 8030), with VAPID (RFC 8292) and encryption (RFC 8291)."""

import hashlib
import http.client
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from notifier.channels import Gone, Message, Refused, Result, Retry, Sent, Unknown
from notifier.outbox.types import now as utc_now
from usecases.channel_results import InDoubt, Paused
from usecases.push_endpoint import problem
from usecases.sealed_token import SealedTokens
from usecases.vapid import Vapid, base64url, from_base64url
from worker.channels.mail_page import one_line, title_of
from worker.channels.push_encryption import MAX_PLAINTEXT, encrypt
from worker.channels.push_http import Answer, NoAnswer, PrivateAddress, post

MAX_TTL = 28 * 86_400  # seconds; no service keeps a message longer
MAX_WAIT = 86_400.0  # seconds that a service may ask us to wait
MAX_REASON = 300


class PushChannel:
    """Sends to browsers.

    Args:
        vapid: who we are.
        tokens: seals what lets a click mark an entry read.
        hosts: NOTIFIER_PUSH_HOSTS.
        absolute: makes a path an address of this site.
        clock: the present.
    """

    def __init__(
        self,
        vapid: Vapid,
        tokens: SealedTokens,
        hosts: Sequence[str],
        absolute: Callable[[str], str],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._vapid = vapid
        self._tokens = tokens
        self._hosts = hosts
        self._absolute = absolute
        self._clock = clock

    def send(self, message: Message) -> Result:
        """Send one message to one browser."""
        if wrong := problem(message.address, self._hosts):
            return Refused(f"the endpoint {wrong}")
        remaining = MAX_TTL
        if message.entry.expires_at is not None:
            remaining = math.floor((message.entry.expires_at - self._clock()).total_seconds())
            if remaining <= 0:
                return Refused("it has expired")
        keys = message.keys or {}
        try:
            body = encrypt(
                self.payload(message),
                p256dh=from_base64url(keys.get("p256dh", "")),
                auth=from_base64url(keys.get("auth", "")),
            )
        except ValueError:
            return Gone("the subscription's keys are not valid")
        headers = {
            "Authorization": self._vapid.authorization(message.address),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(min(MAX_TTL, remaining)),
            "Urgency": "high" if message.required else "normal",
            "Topic": topic(message),
        }
        try:
            answer = post(message.address, body, headers, self._hosts)
        except NoAnswer as exc:
            return Unknown(f"no answer: {exc}"[:MAX_REASON])
        except PrivateAddress as exc:
            return Refused(str(exc)[:MAX_REASON])
        except (OSError, http.client.HTTPException, UnicodeError) as exc:
            return Retry(reason=f"{type(exc).__name__}: {exc}"[:MAX_REASON])
        return verdict(answer, self._clock())

    def payload(self, message: Message) -> bytes:
        """Return JSON of at most 3,993 bytes for the browser; the body is cut first, then the title."""
        entry = message.entry
        actions = entry.data.get("actions") or [entry.data.get("action")]
        url = next((one["url"] for one in actions if isinstance(one, dict) and one.get("url")), "/")
        text = entry.data.get("message")
        content: dict[str, Any] = {
            "id": entry.id,
            "title": one_line(title_of(entry)),
            "body": text if isinstance(text, str) else "",
            "url": self._absolute(url),
            "token": self._tokens.seal({"u": message.user_id, "n": entry.id}),
        }
        for name in ("body", "url", "title"):
            if len(orjson.dumps(content)) <= MAX_PLAINTEXT:
                break
            content[name] = self._absolute("/") if name == "url" else _cut(content, name)
        return orjson.dumps(content)


def _cut(content: dict[str, Any], name: str) -> str:
    """Return the longest beginning of a text with which everything fits, and `…`."""
    text: str = content[name]
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(orjson.dumps(content | {name: text[:middle] + "…"})) <= MAX_PLAINTEXT
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + "…"


def topic(message: Message) -> str:
    """Return a name of 32 characters; a later message with the same one replaces what still waits."""
    key = message.entry.collapse_key
    name = f"key {key}" if key is not None else f"id {message.entry.id}"
    return base64url(hashlib.sha256(name.encode()).digest()[:24])


def verdict(answer: Answer, now: datetime) -> Result:
    """Return the result for a push service's answer (RFC 8030, sections 5 and 8)."""
    status = answer.status
    reason = f"{status} {one_line(answer.text)}"[:MAX_REASON]
    if 200 <= status < 300:
        return Sent((answer.location or "")[:200] or None)
    if status in (404, 410):
        return Gone(reason)
    if status in (401, 403):
        return Paused(reason=reason)
    if status == 429 or status >= 500 or status == 408:
        return Retry(_retry_after(answer.retry_after, now), reason)
    if status == 400:
        return InDoubt(reason, limit=5)
    return Refused(reason)


def _retry_after(text: str | None, now: datetime) -> float | None:
    """Return Retry-After in seconds (RFC 9110, section 10.2.3); None: it says nothing, or nonsense."""
    if not text:
        return None
    if text.strip().isdecimal() and len(text) < 12:
        return min(MAX_WAIT, float(text))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(MAX_WAIT, max(0.0, (moment - now).total_seconds()))
