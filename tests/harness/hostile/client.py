"""Plays hostile sessions on real connections, and reads each to its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

from tests.harness.hostile.frames import Answer, close
from tests.harness.hostile.session import Leave, Session, upgrade

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


async def play(port: int, session: Session, seconds: float) -> Answer:
    """Play a session; return what the server sent. Raises TimeoutError when the server does not end it."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heard = bytearray()
        listening = asyncio.create_task(_hear(reader, heard))
        try:
            writer.write(session.upgrade or upgrade())
            if session.sends:
                await _until(heard, b"\r\n\r\n", listening)
            for data in session.sends:
                writer.write(data)
                await asyncio.sleep(0)
            if session.op is not None:
                await _until(heard, f'"op":"{session.op}"'.encode(), listening)
            if not session.waits:
                _leave(writer, session.leave)
            await listening
        finally:
            listening.cancel()
            writer.transport.abort()
    return Answer.of(bytes(heard))


async def _hear(reader: asyncio.StreamReader, heard: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            heard += data


async def _until(heard: bytearray, what: bytes, listening: asyncio.Task[None]) -> None:
    while what not in heard and not listening.done():  # noqa: ASYNC110  two things may end it
        await asyncio.sleep(0.005)


def _leave(writer: asyncio.StreamWriter, how: Leave) -> None:
    if how is Leave.CUT:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        return
    with contextlib.suppress(OSError):
        if how is Leave.CLOSE:
            writer.write(close())
        writer.write_eof()
