"""The undocumented parts of py-amqp that notifier/broker uses; pyproject.toml pins the minor version.

A failure here names what an upgrade removed. Then compare `notifier/broker/amqp_connection.py`,
`amqp_frames.py` and `amqp_publish.py` with the new version, before you raise the pin.
"""

import inspect
import socket
from typing import Any

import amqp
import pytest
from amqp.transport import SSLTransport, TCPTransport

PRIVATES: list[tuple[type, str]] = [
    (TCPTransport, "_setup_transport"),
    (SSLTransport, "_setup_transport"),
    (amqp.Channel, "_setup_listeners"),
    (amqp.Connection, "blocking_read"),
    (amqp.Connection, "collect"),
    (amqp.Connection, "bytes_recv"),
    (amqp.Connection, "transport"),
    (amqp.basic_message.Message, "_load_properties"),
    (amqp.basic_message.Message, "_serialize_properties"),
    (amqp.basic_message.Message, "inbound_header"),
    (amqp.basic_message.Message, "inbound_body"),
]


@pytest.mark.parametrize(("owner", "name"), PRIVATES, ids=lambda value: getattr(value, "__name__", value))
def test_a_class_has_it(owner: type, name: str) -> None:
    assert hasattr(owner, name), f"py-amqp {amqp.__version__} has no {owner.__name__}.{name} any more"


def test_a_transport_reads_and_writes_through_the_two_methods_that_ours_replaces() -> None:
    one, other = socket.socketpair()
    transport = TCPTransport("localhost:5672", 1)
    transport.sock = one
    transport._setup_transport()
    assert transport._write == one.sendall
    assert transport._quick_recv == one.recv
    for name in ("_write", "_quick_recv"):
        assert f"self.{name}" in inspect.getsource(TCPTransport), f"TCPTransport no longer uses {name}"
    one.close()
    other.close()


def test_a_connection_keeps_its_transport_where_ours_looks_for_it() -> None:
    assert amqp.Connection("localhost:5672")._transport is None


def test_a_channel_looks_for_the_answer_to_a_method_among_its_callbacks() -> None:
    class Holder(amqp.Channel):  # type: ignore[misc]
        def __init__(self) -> None:
            self._callbacks: dict[Any, Any] = {}
            self._setup_listeners()

    assert amqp.spec.Channel.CloseOk in Holder()._callbacks
    assert (amqp.spec.Basic.Qos, amqp.spec.Basic.QosOk) == ((60, 10), (60, 11))
    assert amqp.spec.Queue.UnbindOk == (50, 51)
    assert "self._callbacks[method_sig]" in inspect.getsource(amqp.abstract_channel.AbstractChannel)


def test_a_message_counts_its_body_in_the_attributes_that_ours_sets() -> None:
    message = amqp.basic_message.Message()
    assert (message.body_received, message.body_size, message.ready) == (0, 0, False)
    assert message._load_properties(60, b"\x00\x00", 0) == 2
    assert message._serialize_properties() == b"\x00\x00"
