"""Tokens that an application mints for its pages."""

from __future__ import annotations

import pytest

from notifier.core.errors import SettingError, Unauthenticated
from notifier.settings import Settings
from notifier.tokens import Tokens

SECRET = "a-secret-for-tests-only-0123456789abcdef"


def test_a_token_is_valid_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_SECRET", SECRET)
    tokens = Tokens.from_settings(Settings.load())
    assert tokens.verify(tokens.mint("user-7", 60)).user_id == "user-7"
    with pytest.raises(Unauthenticated):
        Tokens("another-secret-of-at-least-32-bytes!").verify(tokens.mint("user-7", 60))


def test_a_wrong_setting_is_one_line_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_SECRET", "short")
    with pytest.raises(SettingError, match=r"^NOTIFIER_SECRET: must have 32 bytes at least$"):
        Settings.load()
