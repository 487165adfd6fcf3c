"""Hypothesis's settings: without a deadline, and in CI with the same examples each time."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("notifier", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("notifier")
