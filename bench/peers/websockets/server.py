"""A server on `websockets` that forwards messages from Redis to users. See README.md."""

import asyncio
import json
import os

import redis.asyncio
from websockets.asyncio.server import broadcast, serve

CONNECTIONS = {}


async def handler(websocket):
    """Take the user's name from the first message, then wait until the client leaves."""
    user = await websocket.recv()
    connections = CONNECTIONS.setdefault(user, set())
    connections.add(websocket)
    try:
        await websocket.send("welcome")
        await websocket.wait_closed()
    finally:
        connections.discard(websocket)
        if not connections:
            CONNECTIONS.pop(user, None)


async def process_events():
    """Forward each event to its user's connections."""
    pubsub = redis.asyncio.from_url(os.environ["REDIS_URL"]).pubsub()
    await pubsub.subscribe("events")
    async for message in pubsub.listen():
        if message["type"] == "message":
            event = json.loads(message["data"])
            broadcast(CONNECTIONS.get(event["user"], ()), json.dumps(event["data"]))


async def main():
    """Serve until the process ends."""
    async with serve(handler, "127.0.0.1", int(os.environ["PORT"]), compression=None):
        await process_events()


if __name__ == "__main__":
    asyncio.run(main())
