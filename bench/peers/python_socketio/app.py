"""A python-socketio server on asyncio with the Redis manager; each user has a room. See README.md."""

import os

import socketio

manager = socketio.AsyncRedisManager(os.environ["REDIS_URL"])
sio = socketio.AsyncServer(async_mode="asgi", client_manager=manager)
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid, environ, auth):  # noqa: ARG001
    """Join the user's room."""
    await sio.enter_room(sid, auth["user_id"])
