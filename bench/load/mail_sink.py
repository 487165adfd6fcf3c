"""A mail server that takes everything and keeps nothing: `python -m bench.load.mail_sink PORT`.

It speaks as much SMTP (RFC 5321) as a client needs, at a fraction of a real server's cost.
"""

from __future__ import annotations

import asyncio
import sys


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one connection until it is closed."""
    writer.write(b"220 sink\r\n")
    try:
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"EHLO":
                writer.write(b"250-sink\r\n250 8BITMIME\r\n")
            elif word == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 2.0.0 taken\r\n")
            elif word == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"250 OK\r\n")
    finally:
        writer.close()


async def serve(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(serve_one, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
