"""The events that can be sent, and their rules (docs/contract.md#3-events).

Pure: standard library and pydantic (its core parses and writes the JSON). `define_event` registers
more events; a process that sends or checks them imports the module that defines them
(setting NOTIFIER_EVENTS).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticSerializationError, to_json

from notifier.core.checks import _INVISIBLE, check_fields, check_image, check_url, check_visible, problems_of
from notifier.core.errors import InvalidInput, UnknownEvent

MAX_DATA = 256 * 1024  # bytes of JSON
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
RESERVED = "inbox."


class Event(BaseModel):
    """The base of our own events: unknown fields are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# The checks of `check_url` and `EventType.validate` as JSON Schema, for the API's description.
# It does not cover accepted URLs with an IPv6 address or a user name.
_NO_NUL = {"pattern": r"^[^\u0000]*$"}
_IN_URL = r"[^\s\\\u0000-\u001f\u007f-\u009f]"
_IN_HOST = r"[^\s\\/?#@:\[\]\u0000-\u001f\u007f-\u009f]"
_PORT = "([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HTTP = rf"[Hh][Tt][Tt][Pp][Ss]?://{_IN_HOST}+(:{_PORT})?([/?#]{_IN_URL}*)?"
_URL = {"pattern": rf"^(/|/(?!/){_IN_URL}+|{_HTTP})$"}
_IMAGE = {"pattern": rf"^(/|/(?!/){_IN_URL}+|{_HTTP.replace('?://', '://', 1)})$"}
_SEEN = {"pattern": rf"^[^\u0000]*[^{_INVISIBLE}][^\u0000]*$"}
_NOT_NULL = {"not": {"type": "null"}}
#: Not both; null counts as absent.
_ONE_OF_THEM: dict[str, Any] = {
    "not": {
        "required": ["action", "actions"],
        "properties": {"action": _NOT_NULL, "actions": _NOT_NULL},
    }
}


class Action(Event):
    """A link beside an alert."""

    label: Annotated[str, Field(min_length=1, max_length=80, json_schema_extra=_NO_NUL)]
    url: Annotated[
        str, Field(min_length=1, max_length=2_048, json_schema_extra=_URL), AfterValidator(check_url)
    ]


AlertType = Literal["info", "warning", "error", "success"]
ActionLike = Action | Mapping[str, str]


class Alert(Event):
    """Something the user should know.

    `action` is one link beside it; `actions` replaces it with up to two, the first of which is primary.
    `image` is an https address, or a path on the same site.
    """

    model_config = ConfigDict(json_schema_extra=_ONE_OF_THEM)

    title: Annotated[
        str, Field(min_length=1, max_length=200, json_schema_extra=_SEEN), AfterValidator(check_visible)
    ]
    message: Annotated[
        str, Field(min_length=1, max_length=4_000, json_schema_extra=_SEEN), AfterValidator(check_visible)
    ]
    type: AlertType
    action: Action | None = None
    actions: Annotated[tuple[Action, ...], Field(max_length=2)] | None = None
    image: (
        Annotated[
            str, Field(min_length=1, max_length=2_048, json_schema_extra=_IMAGE), AfterValidator(check_image)
        ]
        | None
    ) = None

    if TYPE_CHECKING:  # pydantic accepts mappings; type checkers know that only with its plugin

        def __init__(
            self,
            *,
            title: str,
            message: str,
            type: AlertType,
            action: ActionLike | None = None,
            actions: Sequence[ActionLike] | None = None,
            image: str | None = None,
        ) -> None: ...

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.action is not None and self.actions is not None:
            raise ValueError("give action or actions, not both")
        return self


def _whole(value: object) -> object:
    """Accept 3.0 as 3: JSON has one kind of number (JSON Schema, core, 4.2.2)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)
BadgeType = Literal["messages", "notifications", "tasks"]


class Badge(Event):
    """A number beside an icon."""

    type: BadgeType
    count: Annotated[StrictInt, Field(ge=0, le=2_147_483_647), Whole]


@dataclass(frozen=True, slots=True)
class EventType:
    """A defined event: its name, its schema, whether it is an entry of the inbox, and its category."""

    name: str
    schema: type[BaseModel]
    inbox: bool
    category: str | None = None

    def validate(self, data: object) -> dict[str, Any]:
        """Return `data`, a mapping or a model, as plain JSON values, as the schema allows it.

        Raises InvalidInput.
        """
        if not isinstance(data, Mapping | BaseModel):
            raise InvalidInput(problems=[{"loc": ["data"], "msg": "must be an object"}])
        if isinstance(data, Mapping):
            check_fields(data, "data")
        try:
            given = data.model_dump(exclude_unset=True) if isinstance(data, BaseModel) else data
            model = self.schema.model_validate(given)
            plain: dict[str, Any] = model.model_dump(mode="json", exclude_unset=True)
            encoded = to_json(plain, inf_nan_mode="constants")
            if _NUMBERS.search(encoded) and not _keeps_its_numbers(model.model_dump()):
                raise ValueError("a number is not finite, or has more than 64 bits")
        except ValidationError as exc:
            raise InvalidInput(problems=problems_of(exc, "data")) from None
        except (PydanticSerializationError, UnicodeEncodeError, ValueError):
            raise InvalidInput(problems=[{"loc": ["data"], "msg": "cannot be written as JSON"}]) from None
        if b"\\u0000" in encoded:
            raise InvalidInput(problems=[{"loc": ["data"], "msg": "must not contain a NUL character"}])
        if len(encoded) > MAX_DATA:
            raise InvalidInput(
                problems=[{"loc": ["data"], "msg": f"must be at most {MAX_DATA} bytes of JSON"}]
            )
        return plain

    def validate_all(self, data: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
        """Return all of `data` as `validate` returns each; None: each must be looked at alone.

        That is so when one of them breaks a rule, and when it may. It takes a quarter of the time.
        """
        schemas = _list_of(self.schema)
        try:
            models = schemas.validate_python(data)
            plain: list[dict[str, Any]] = schemas.dump_python(models, mode="json", exclude_unset=True)
            encoded = to_json(plain, inf_nan_mode="constants")
            too_big = len(encoded) > MAX_DATA and any(
                len(to_json(one, inf_nan_mode="constants")) > MAX_DATA for one in plain
            )
        except (ValidationError, PydanticSerializationError, UnicodeEncodeError, ValueError):
            return None
        if _NUMBERS.search(encoded) and not _keeps_its_numbers(schemas.dump_python(models)):
            return None
        return None if too_big or b"\\u0000" in encoded else plain


@lru_cache(256)
def _list_of(schema: type[BaseModel]) -> TypeAdapter[list[Any]]:
    return TypeAdapter(list[schema])  # type: ignore[valid-type]


#: How a number in JSON looks that may have more than 64 bits, or not be finite (null, for pydantic).
_NUMBERS = re.compile(rb"NaN|Infinity|null|[0-9]{19}")


def _keeps_its_numbers(value: Any) -> bool:
    """Return whether our JSON keeps every number in `value` unchanged."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, dict):
        return all(map(_keeps_its_numbers, value.values()))
    return not isinstance(value, list | tuple | set | frozenset) or all(map(_keeps_its_numbers, value))


_events: dict[str, EventType] = {}


def check_name(name: str) -> None:
    """Raise ValueError when `name` cannot be an event's name."""
    if not NAME.fullmatch(name) or name.startswith(RESERVED):
        raise ValueError(f"{name!r} is not an event name: [a-z][a-z0-9_-]{{0,63}}")


def define_event(
    name: str, schema: type[BaseModel], *, inbox: bool = True, category: str | None = None
) -> EventType:
    """Register an event, so that it can be sent and is checked against `schema`.

    Args:
        name: ``[a-z][a-z0-9_-]{0,63}``; unique.
        schema: a pydantic model; unknown fields are refused whatever its config says.
        inbox: False for an event that takes a seq but is not an inbox entry, like `badge`.
        category: the category of its notifications (`define_category`); None: `general`.

    Raises:
        ValueError: the name is not allowed, or taken by another schema.
    """
    check_name(name)
    if schema.model_config.get("extra") != "forbid":
        schema = type(
            schema.__name__,
            (schema,),
            {
                "__module__": schema.__module__,
                "__doc__": schema.__doc__,
                "model_config": ConfigDict(extra="forbid"),
            },
        )
    known = _events.get(name)
    rules = (inbox, category, schema.model_json_schema())
    if known and (known.inbox, known.category, known.schema.model_json_schema()) != rules:
        raise ValueError(f"event {name!r} is already defined, with another schema")
    _events[name] = EventType(name, schema, inbox, category)
    return _events[name]


def event_type(name: str) -> EventType:
    """Return the event of that name. Raises UnknownEvent."""
    try:
        return _events[name]
    except (KeyError, TypeError):
        raise UnknownEvent(problems=[{"loc": ["event"], "msg": f"no event {name!r} is defined"}]) from None


def event_types() -> tuple[EventType, ...]:
    """Return every defined event."""
    return tuple(_events.values())


def replace_events(before: Mapping[str, EventType], after: Mapping[str, EventType]) -> None:
    """Remove the events that a file defined before, and register those that it defines now."""
    for name in before.keys() - after.keys():
        _events.pop(name, None)
    _events.update(after)


def event_of(data: BaseModel) -> EventType:
    """Return the event whose schema `data` is an instance of. Raises UnknownEvent."""
    for event in _events.values():
        if type(data) is event.schema or issubclass(event.schema, type(data)):
            return event
    raise UnknownEvent(
        problems=[{"loc": ["data"], "msg": f"no event is defined with the schema {type(data).__name__}"}]
    )


define_event("alert", Alert)
define_event("badge", Badge, inbox=False)

#: Events that always exist, and cannot be defined by applications.
BUILT_IN = frozenset(_events)
