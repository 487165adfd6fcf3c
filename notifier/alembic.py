"""Keep an application's alembic away from our tables, which may live in the application's own database.

    from notifier.alembic import include_object

    context.configure(..., include_object=include_object)

With Flask-Migrate, `notifier.flask.Notifier` does it. This module imports neither alembic nor SQLAlchemy.
"""

from collections.abc import Callable
from typing import Any

PREFIX = "notifier_"

IncludeObject = Callable[[Any, str | None, str, bool, Any], bool]


def include_object(
    thing: Any,
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: Any,
) -> bool:
    """Return False for our objects that only the database has: autogenerate would drop them.

    A table that the application's own models describe stays the application's, whatever its name.
    """
    if not reflected or compare_to is not None:
        return True
    table = name if type_ == "table" else getattr(getattr(thing, "table", None), "name", None)
    return not (table or name or "").startswith(PREFIX)


def beside(own: IncludeObject | None) -> IncludeObject:
    """Return an `include_object` that also calls the application's own."""
    if own is None:
        return include_object

    def both(thing: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
        given = (thing, name, type_, reflected, compare_to)
        return include_object(*given) and own(*given)

    return both
