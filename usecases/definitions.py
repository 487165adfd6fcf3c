"""Load the definitions of applications (events, categories) into a process of the service."""

import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notifier.core.categories import Category, Reach, replace_categories
from notifier.core.errors import SettingError
from notifier.core.events import BUILT_IN, EventType, check_name, event_types, replace_events
from notifier.settings import PREFIX, Settings

DEMO = "examples.shop.categories"
MAX_FILE = 4 * 1024 * 1024  # bytes

log = logging.getLogger("usecases.definitions")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Event(_Strict):
    schema_: dict[str, Any] = Field(alias="schema")
    inbox: bool = True
    category: str | None = None


class _Reach(_Strict):
    after: str = "0s"
    unless: str | None = None


class _Category(_Strict):
    title: str
    description: str = ""
    required: bool = False
    reach: dict[str, _Reach] = {}
    defaults: dict[str, str] = {}


class _Document(_Strict):
    events: dict[str, _Event] = {}
    categories: dict[str, _Category] = {}


class _Definitions:
    """The content of the file when it was last read; `held`: for the processes that this one starts."""

    held: bytes | None = None
    events: dict[str, EventType] = {}  # noqa: RUF012 - replaced, never changed
    categories: dict[str, Category] = {}  # noqa: RUF012


def load(settings: Settings) -> None:
    """Import the modules of NOTIFIER_EVENTS, and read the file of NOTIFIER_DEFINITIONS.

    The modules belong to the service's environment; a module of the working directory is found only if no
    other has its name. Raises SettingError when a module cannot be imported, or the file cannot be read or
    breaks a rule.
    """
    if settings.events and (folder := os.getcwd()) not in sys.path:  # noqa: PTH109  sys.path has text
        sys.path.append(folder)
    for module in (*settings.events, *((DEMO,) if settings.demo_on else ())):
        _import(module)
    read_file(settings)


def _import(name: str) -> None:
    try:
        import_module(name)
    except Exception as exc:  # whatever a module of somebody else's raises
        told = " ".join(str(exc).split()) or type(exc).__name__
        raise SettingError(f"{PREFIX}EVENTS: {name} cannot be imported: {told}") from exc


def read_file(settings: Settings) -> None:
    """Read the file of NOTIFIER_DEFINITIONS, if one is named. Raises SettingError."""
    if settings.definitions is not None:
        _read(settings.definitions)


def hold(settings: Settings) -> None:
    """Keep the content of the file for the processes that are forked from this one.

    They load this content, so that a file that is wrong by then cannot stop them. Raises SettingError when it
    is wrong now; what was held before stays.
    """
    if settings.definitions is not None:
        content = _content(settings.definitions)
        _parse(settings.definitions, content)
        _Definitions.held = content


def reload(settings: Settings) -> None:
    """Read the file again; a wrong one is logged in one line and changes nothing."""
    if settings.definitions is None:
        return
    try:
        _read(settings.definitions)
    except SettingError as exc:
        log.error("the definitions are not changed: %s", exc)
    else:
        log.info("definitions read again: events=%d categories=%d", len(_Definitions.events),
                 len(_Definitions.categories))  # fmt: skip


def _read(path: Path) -> None:
    content = _content(path) if _Definitions.held is None else _Definitions.held
    events, categories = _parse(path, content)
    replace_events(_Definitions.events, events)
    replace_categories(_Definitions.categories, categories)
    _Definitions.events, _Definitions.categories = events, categories


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE:
            raise SettingError(f"{PREFIX}DEFINITIONS: {path}: is over {MAX_FILE} bytes")
        return path.read_bytes()
    except OSError as exc:
        raise SettingError(f"{PREFIX}DEFINITIONS: {path}: {exc.strerror}") from None


def _parse(path: Path, content: bytes) -> tuple[dict[str, EventType], dict[str, Category]]:
    try:
        document = _Document.model_validate(orjson.loads(content))
        categories = {name: _category(name, entry) for name, entry in document.categories.items()}
        events = {name: _event(name, entry) for name, entry in document.events.items()}
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingError(f"{PREFIX}DEFINITIONS: {path}: {where}: {first['msg']}") from None
    except ValueError as exc:
        raise SettingError(f"{PREFIX}DEFINITIONS: {path}: {exc}") from None
    return events, categories


def _event(name: str, entry: _Event) -> EventType:
    from usecases.json_schema_event import model_of  # noqa: PLC0415  jsonschema is slow to import

    check_name(name)
    taken = {event.name for event in event_types()} - set(_Definitions.events)
    if name in BUILT_IN or name in taken:
        raise ValueError(f"events.{name}: this event is defined already")
    return EventType(name, model_of(name, entry.schema_), entry.inbox, entry.category)


def _category(name: str, entry: _Category) -> Category:
    reach = {channel: Reach(given.after, given.unless) for channel, given in entry.reach.items()}  # type: ignore[arg-type]  # Reach checks it
    return Category(name, entry.title, entry.description, entry.required, reach, entry.defaults)
