"""The answers of every route that is refused, and of the health checks."""

from typing import Literal

from pydantic import BaseModel


class ProblemItem(BaseModel):
    """One broken rule."""

    loc: list[str | int]
    msg: str


class ProblemBody(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem] | None = None


class Health(BaseModel):
    """Whether the process, or a part of it, works."""

    status: Literal["ok"]
    database: Literal["ok"] | None = None
    broker: Literal["ok"] | None = None
