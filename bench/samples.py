"""Quantiles of samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99, "max": 1.0}


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest sample that `share` of all samples do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def milliseconds(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return p50, p95, p99 and maximum of durations, in milliseconds; nothing without durations."""
    ordered = sorted(seconds)
    return {
        f"{name}_{label}_ms": round(quantile(ordered, share) * 1000, 2)
        for label, share in SHARES.items()
        if ordered
    }
