"""Buffered reads and corked writes, against a peer that sends single bytes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from notifier.broker import amqp_connection


class Peer:
    """The other end of a connected transport."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.transport = amqp_connection._Tcp(f"127.0.0.1:{server.getsockname()[1]}", connect_timeout=5)
            self.transport.connect()
            self.socket, _ = server.accept()
        self.socket.settimeout(5)
        self.transport.sock.settimeout(5)
        assert self.receive(8) == b"AMQP\x00\x00\x09\x01"

    def receive(self, size: int) -> bytes:
        with self.socket.dup() as copy, copy.makefile("rb", buffering=0) as file:
            data = b""
            while len(data) < size and (part := file.read(size - len(data))):
                data += part
        return data

    def close(self) -> None:
        self.socket.close()
        self.transport.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def frame(payload: bytes) -> bytes:
    return struct.pack(f">BHI{len(payload)}sB", 1, 1, len(payload), payload, 0xCE)


def until_here(peer: Peer) -> None:
    """Wait until the peer's bytes have arrived."""
    peer.transport.sock.recv(1, socket.MSG_PEEK)


def test_nothing_is_pending_until_bytes_arrive(peer: Peer) -> None:
    assert not peer.transport.pending
    assert not peer.transport.gather()
    assert peer.transport.sock.gettimeout() == 5


def test_one_read_takes_many_frames_and_knows_when_they_are_used_up(peer: Peer) -> None:
    peer.socket.sendall(b"".join(frame(bytes([n])) for n in range(100)))
    until_here(peer)
    assert peer.transport.gather()
    for number in range(100):
        assert peer.transport.pending
        assert peer.transport.read_frame() == (1, 1, bytes([number]))
    assert not peer.transport.pending


def test_half_a_frame_is_kept_when_the_rest_does_not_come_in_time(peer: Peer) -> None:
    whole = frame(b"payload")
    peer.socket.sendall(whole[:10])
    until_here(peer)
    assert peer.transport.gather()
    peer.transport.sock.settimeout(0.02)
    with pytest.raises(TimeoutError):
        peer.transport.read_frame()
    assert not peer.transport.pending
    peer.socket.sendall(whole[10:])
    peer.transport.sock.settimeout(5)
    assert peer.transport.read_frame() == (1, 1, b"payload")


def test_a_closed_peer_is_an_error_not_silence(peer: Peer) -> None:
    peer.socket.close()
    until_here(peer)
    with pytest.raises(ConnectionResetError):
        peer.transport.gather()


def test_corked_frames_go_out_together_and_unchanged(peer: Peer) -> None:
    buffer = bytearray(b"first")
    peer.transport.cork()
    peer.transport.write(memoryview(buffer))
    buffer[:] = b"other"  # py-amqp uses its buffer again for the next frame
    peer.transport.write(memoryview(buffer))
    peer.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.socket.recv(1)
    peer.socket.settimeout(5)
    peer.transport.uncork()
    assert peer.receive(10) == b"firstother"
    peer.transport.write(b"plain")
    assert peer.receive(5) == b"plain"


def test_a_cork_does_not_hold_back_without_bound(peer: Peer) -> None:
    peer.transport.cork()
    peer.transport.write(b"x" * amqp_connection.CORK_LIMIT)
    assert peer.receive(amqp_connection.CORK_LIMIT) == b"x" * amqp_connection.CORK_LIMIT
