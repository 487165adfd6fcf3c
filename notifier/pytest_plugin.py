"""The pytest fixture `notifications` (entry point pytest11); see `notifier.testing`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from notifier.testing import Notifications


@pytest.fixture
def notifications() -> "Iterator[Notifications]":
    """Return the list of notifications that the application sends during the test; none is really sent."""
    from notifier.testing import capture  # noqa: PLC0415  a run that does not use it imports nothing

    with capture() as captured:
        yield captured
