"""The HTTP API (docs/contract.md, section 5), a method for each call.

Answers are returned unchanged: no status raises, so that each test says what it expects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

from tests.harness.http_client import Http, Response

ALERT: dict[str, Any] = {"title": "Order Shipped", "message": "It is on its way.", "type": "success"}


class BackendApi:
    """The calls of a backend, with its API key."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float = 15) -> None:
        self._http = Http(base_url, timeout)
        self._api_key = api_key

    def send(self, user_id: str, data: dict[str, Any] | None = None, **fields: Any) -> Response:
        """Send ``POST /api/notifications`` to one user.

        `fields` are the other fields of the body, `key` is the Idempotency-Key.
        """
        return self.notify({"user_id": user_id, "data": data or ALERT}, **fields)

    def send_many(
        self, user_ids: Sequence[str], data: dict[str, Any] | None = None, **fields: Any
    ) -> Response:
        """Send ``POST /api/notifications`` to several users."""
        return self.notify({"user_ids": list(user_ids), "data": data or ALERT}, **fields)

    def notify(self, body: dict[str, Any], *, key: str | None = None, **fields: Any) -> Response:
        """Send ``POST /api/notifications`` with this body."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.post("/api/notifications", {**body, **fields}, headers)

    def badge(self, user_id: str, kind: str, count: Any) -> Response:
        """Send ``POST /api/badges``."""
        return self.post("/api/badges", {"user_id": user_id, "type": kind, "count": count})

    def notification(self, identity: str) -> Response:
        """Send ``GET /api/notifications/<id>``."""
        return self.get(f"/api/notifications/{quote(identity, safe='')}")

    def report(self, name: str, **query: str) -> Response:
        """Send ``GET /api/reports/<name>``."""
        return self.get(f"/api/reports/{name}?{urlencode(query)}")

    def get(self, path: str) -> Response:
        return self._http.request("GET", path, None, self._auth())

    def delete(self, path: str) -> Response:
        return self._http.request("DELETE", path, None, self._auth())

    def cancel(self, identity: str) -> Response:
        """Send ``DELETE /api/notifications/<id>``."""
        return self._http.request("DELETE", f"/api/notifications/{identity}", None, self._auth())

    def update(self, identity: str, data: Any, **fields: Any) -> Response:
        """Send ``PATCH /api/notifications/<id>``."""
        raw = json.dumps({"data": data, **fields}).encode()
        headers = {"Content-Type": "application/json", **self._auth()}
        return self._http.request("PATCH", f"/api/notifications/{identity}", raw, headers)

    def batch(self, notifications: Sequence[Any]) -> Response:
        """Send ``POST /api/notifications/batch``."""
        return self.post("/api/notifications/batch", {"notifications": list(notifications)})

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Response:
        """POST a JSON value, or raw bytes unchanged."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._http.request(
            "POST", path, raw, {"Content-Type": "application/json", **self._auth(), **(headers or {})}
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"} if self._api_key is not None else {}


class UserApi(BackendApi):
    """The calls of a user, with a token."""

    def inbox(self, **query: Any) -> Response:
        """Send ``GET /api/inbox`` with ``status``, ``limit``, ``before``."""
        return self.get("/api/inbox" + (f"?{urlencode(query)}" if query else ""))

    def items(self, status: str = "all", limit: int = 50) -> Iterator[dict[str, Any]]:
        """Return every item of the inbox, newest first, page by page."""
        before: int | None = None
        while True:
            query = {"status": status, "limit": limit} | ({} if before is None else {"before": before})
            page = self.inbox(**query)
            assert page.status == 200, page
            yield from page.json["items"]
            before = page.json["next"]
            if before is None:
                return

    def read(self, ids: Sequence[str] | None = None, *, through: int | None = None) -> Response:
        """Send ``POST /api/inbox/read`` of ids, or of everything through a seq."""
        return self.post("/api/inbox/read", {"ids": list(ids)} if ids is not None else {"through": through})

    def unread(self, ids: Sequence[str]) -> Response:
        """Send ``POST /api/inbox/unread``."""
        return self.post("/api/inbox/unread", {"ids": list(ids)})

    def archive(self, ids: Sequence[str]) -> Response:
        """Send ``POST /api/inbox/archive``."""
        return self.post("/api/inbox/archive", {"ids": list(ids)})

    def prefer(self, patch: dict[str, Any]) -> Response:
        """Send ``PATCH /api/preferences``."""
        headers = {"Content-Type": "application/json", **self._auth()}
        return self._http.request("PATCH", "/api/preferences", json.dumps(patch).encode(), headers)
