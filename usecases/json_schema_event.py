"""Events with a JSON Schema instead of a pydantic model: those defined by an application's file.

The schema is draft 2020-12, checked by jsonschema. References to other documents are refused, and nothing is
fetched.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, GetJsonSchemaHandler, RootModel, model_validator
from pydantic_core import CoreSchema

from notifier.core.errors import InvalidInput, Problem

MAX_PROBLEMS = 20
LOCAL = "#/$defs/"


class FromJsonSchema(RootModel[dict[str, Any]]):
    """The base class of the models that `model_of` returns."""

    rules: ClassVar[Any]
    json_schema: ClassVar[dict[str, Any]]

    @model_validator(mode="after")
    def _check(self) -> "FromJsonSchema":
        problems: list[Problem] = []
        for error in self.rules.iter_errors(self.root):
            # Without the value, which must not be repeated.
            said = f"breaks the rule {error.validator}: {_short(error.validator_value)}"
            problems.append({"loc": ["data", *error.absolute_path], "msg": said})
            if len(problems) == MAX_PROBLEMS:
                break
        if problems:
            raise InvalidInput(problems=problems)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema for our OpenAPI document, in which its definitions have another address."""
        moved: dict[str, Any] = _moved(cls.json_schema, f"#/components/schemas/{cls.__name__}/$defs/")
        return moved


def model_of(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    """Return a model that accepts what the schema of the event `name` accepts, and no unknown fields.

    Raises ValueError when it is not a schema of an object.
    """
    own = dict(schema)
    try:
        Draft202012Validator.check_schema(own)
    except SchemaError as exc:
        raise ValueError(f"events.{name}.schema: {exc.message}") from None
    if own.get("type", "object") != "object":
        raise ValueError(f"events.{name}.schema: must describe an object")
    for reference in _references(own):
        if not reference.startswith(LOCAL):
            raise ValueError(f"events.{name}.schema: a $ref must begin with {LOCAL}")
    own["type"] = "object"
    if "additionalProperties" not in own:
        own.setdefault("unevaluatedProperties", False)
    title = "".join(part.capitalize() for part in re.split("[-_]", name)) + "Event"
    members = {"__module__": __name__, "rules": Draft202012Validator(own), "json_schema": own}
    return type(title, (FromJsonSchema,), members)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _references(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return [*own, *(one for part in value.values() for one in _references(part))]
    if isinstance(value, list):
        return [one for part in value for one in _references(part)]
    return []


def _moved(value: Any, to: str) -> Any:
    if isinstance(value, Mapping):
        return {
            key: to + part.removeprefix(LOCAL)
            if key == "$ref" and isinstance(part, str)
            else _moved(part, to)
            for key, part in value.items()
        }
    return [_moved(part, to) for part in value] if isinstance(value, list) else value
