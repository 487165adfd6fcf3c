"""Channels of an application's own are known by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from notifier.channels import Message, Sent, define_channel, defined_channels, forget_channel


class Sms:
    def send(self, message: Message) -> Sent:
        return Sent(message.id)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    forget_channel("sms")


def test_a_channel_is_known_by_its_name() -> None:
    channel = Sms()
    define_channel("sms", channel)
    define_channel("sms", channel)  # a module that is imported twice
    assert defined_channels() == {"sms": channel}


@pytest.mark.parametrize("name", ["email", "push", "inbox", "", "SMS", "a b", "../x", "a" * 65])
def test_a_name_that_is_built_in_or_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="channel name"):
        define_channel(name, Sms())


def test_a_name_is_taken_once_only() -> None:
    define_channel("sms", Sms())
    with pytest.raises(ValueError, match="already defined"):
        define_channel("sms", Sms())


def test_what_cannot_send_is_refused() -> None:
    with pytest.raises(TypeError, match="send"):
        define_channel("sms", object())  # type: ignore[arg-type]
