"""The description of a route's input and answers, written beside it; `web.openapi` reads it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

View = TypeVar("View", bound=Callable[..., Any])
Answer = type[BaseModel] | str | None  # a model, a media type, or nothing


@dataclass(frozen=True, slots=True)
class Description:
    """The description of a route.

    Attributes:
        answers: status -> the body.
        errors: further statuses, each with a problem+json body.
        request: the JSON body.
        query: the query's parameters.
        headers: request header -> its schema with a description.
    """

    answers: Mapping[int, Answer]
    errors: Sequence[int] = ()
    request: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def describe(
    answers: Mapping[int, Answer],
    *,
    errors: Sequence[int] = (),
    request: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    headers: Mapping[str, Mapping[str, Any]] | None = None,
) -> Callable[[View], View]:
    """Describe the decorated view."""

    def attach(view: View) -> View:
        view.description = Description(answers, errors, request, query, headers or {})  # type: ignore[attr-defined]
        return view

    return attach


def public(view: View) -> View:
    """Declare that everybody may call `view`."""
    view.access = "open"  # type: ignore[attr-defined]
    return view
