"""An application's definitions (events, categories) as a JSON document, for the service to read.

The service has none of the application's code: `export` writes the file that its setting NOTIFIER_DEFINITIONS
names. It can be written by hand as well (docs/definitions.md).
"""

import json
from pathlib import Path
from typing import Any

from notifier.core.categories import GENERAL, Category, categories
from notifier.core.events import BUILT_IN, EventType, event_types

__all__ = ["document", "export"]

UNDESCRIBED = Category(GENERAL, "General")  # the service defines it itself


def document() -> dict[str, Any]:
    """Return the definitions of this process: every event except ours, and every category."""
    return {
        "events": {event.name: _event(event) for event in event_types() if event.name not in BUILT_IN},
        "categories": {one.name: _category(one) for one in categories() if one != UNDESCRIBED},
    }


def export(path: str | Path | None = None) -> str:
    """Write the definitions to a file, if one is named; return them as JSON."""
    text = json.dumps(document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if path is not None:
        # Replaced atomically: the service may read it at any time.
        target = Path(path)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(target)
    return text


def _event(event: EventType) -> dict[str, Any]:
    entry: dict[str, Any] = {"schema": event.schema.model_json_schema(), "inbox": event.inbox}
    return entry if event.category is None else entry | {"category": event.category}


def _category(category: Category) -> dict[str, Any]:
    entry = {
        "title": category.title,
        "description": category.description,
        "required": category.required,
        "reach": {
            channel: {"after": reach.after, **({"unless": reach.unless} if reach.unless else {})}
            for channel, reach in category.reach.items()
        },
    }
    return entry if not category.defaults else {**entry, "defaults": dict(category.defaults)}
