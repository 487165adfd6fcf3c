"""The longest time from an alert's acceptance to its arrival, at clients whose own network is not cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.chaos.crowd import CUT
from tests.harness.client import LedgerClient


class Latest:
    """Notes the first arrival of each alert at each client; `victim` is a user whose own trouble does not count."""

    def __init__(self, victim: str = "") -> None:
        self._victim = victim
        self._arrived: dict[tuple[str, str], float] = {}

    def heard(self, client: LedgerClient, frame: Mapping[str, Any], at: float) -> None:
        """Note a frame of a client."""
        if client.device != CUT and client.user_id != self._victim and frame.get("id"):
            self._arrived.setdefault((client.user_id, frame["id"]), at)

    def seconds(self, accepted_at: Mapping[str, float]) -> float | None:
        """Return the longest time, or None when nothing arrived; what has no time of acceptance does not count."""
        times = [at - accepted_at[id] for (_, id), at in self._arrived.items() if id in accepted_at]
        return max(times, default=None)
