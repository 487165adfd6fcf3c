"""The frame of a text is byte for byte what wsproto writes."""

from __future__ import annotations

import pytest
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from web.gateway.text_frame import text_frame


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("text", ["x", "\u00e9", "\U0001f600"])
def test_it_is_what_wsproto_writes(length: int, text: str) -> None:
    payload = (text * length).encode()[:length].decode(errors="ignore")
    expected = Connection(ConnectionType.SERVER).send(TextMessage(data=payload))
    assert text_frame(payload.encode()) == expected
