"""An application's autogenerate leaves our tables alone, and only ours."""

from __future__ import annotations

from types import SimpleNamespace

from notifier.alembic import beside, include_object

OURS = SimpleNamespace(name="notifier_notifications")
OUR_INDEX = SimpleNamespace(name="notifier_notifications_dead_idx", table=OURS)
THEIRS = SimpleNamespace(name="notifications")


def test_what_only_the_database_has_is_left_alone_when_it_is_ours() -> None:
    assert not include_object(OURS, "notifier_notifications", "table", True, None)
    assert not include_object(OUR_INDEX, "notifier_notifications_dead_idx", "index", True, None)
    assert not include_object(OURS, "notifier_alembic_version", "table", True, None)


def test_everything_else_is_compared_as_usual() -> None:
    assert include_object(THEIRS, "notifications", "table", True, None)
    assert include_object(THEIRS, "notifications", "table", False, None)
    theirs_with_our_prefix = SimpleNamespace(name="notifier_drafts")
    assert include_object(theirs_with_our_prefix, "notifier_drafts", "table", False, None)
    assert include_object(theirs_with_our_prefix, "notifier_drafts", "table", True, theirs_with_our_prefix)
    assert include_object(SimpleNamespace(name=None), None, "unique_constraint", True, None)


def test_an_application_keeps_its_own_function() -> None:
    def no_logs(_thing: object, name: str | None, *_: object) -> bool:
        return name != "logs"

    both = beside(no_logs)
    assert not both(SimpleNamespace(name="logs"), "logs", "table", True, None)
    assert not both(OURS, "notifier_notifications", "table", True, None)
    assert both(THEIRS, "notifications", "table", True, None)
    assert beside(None) is include_object
