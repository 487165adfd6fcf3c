"""The range of days and the stage that a request chose; every page of the dashboard keeps them."""

from typing import Any

from flask import request

from web.dashboard import figures
from web.dashboard.figures import LABELS, Range


def chosen_range() -> tuple[Range, str]:
    """Return the range and the stage in the address."""
    stage = request.args.get("stage", "")
    chosen = Range.chosen(request.args.get("since"), request.args.get("until"), figures.today())
    return chosen, stage if stage in LABELS else "accepted_to_delivered"


def what_is_wrong() -> str:
    """Return a sentence about a wrong range in the address; empty: the range is valid."""
    return figures.wrong_range(request.args.get("since"), request.args.get("until"), figures.today())


def query(chosen: Range, stage: str) -> dict[str, Any]:
    """Return them as the query of an address."""
    return {"since": chosen.since.isoformat(), "until": chosen.until.isoformat(), "stage": stage}
