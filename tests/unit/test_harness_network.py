"""The client and the proxy against a scripted server: cuts, outages, throttling, and reconnects."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.harness.client import Backoff, LedgerClient
from tests.harness.ledger import Breach
from tests.harness.proxy import Proxy

USER = "user-7"


class ScriptedServer:
    """Serves one user's log as documented; `skip` is a seq that it leaves out."""

    def __init__(self, skip: int | None = None) -> None:
        self.head, self.skip = 0, skip
        self.acks: asyncio.Queue[int] = asyncio.Queue()
        self.hellos: list[int | None] = []
        self.port = 0
        self._sockets: set[ServerConnection] = set()

    async def handle(self, socket: ServerConnection) -> None:
        hello = json.loads(await socket.recv())
        self.hellos.append(hello["after"])
        after = hello["after"]
        welcome = {"op": "welcome", "user_id": USER, "seq": self.head, "unread": self.head, "badges": {}}
        await socket.send(json.dumps({**welcome, "ping_interval": 25}))
        for seq in range(after + 1, self.head + 1):
            await self._event(socket, seq)
        await socket.send(json.dumps({"op": "live", "seq": self.head}))
        self._sockets.add(socket)
        try:
            async for raw in socket:
                frame = json.loads(raw)
                if frame["op"] == "ack":
                    self.acks.put_nowait(frame["seq"])
        finally:
            self._sockets.discard(socket)

    async def publish(self) -> None:
        self.head += 1
        for socket in list(self._sockets):
            await self._event(socket, self.head)

    async def _event(self, socket: ServerConnection, seq: int) -> None:
        event = {"op": "event", "seq": seq, "event": "alert", "id": f"n{seq}", "room": f"user:{USER}"}
        rest = {"from": "system", "timestamp": 1, "data": {}, "unread": seq}
        if seq != self.skip:
            await socket.send(json.dumps({**event, **rest}))

    async def restart(self, reason: str) -> None:
        for socket in list(self._sockets):
            await socket.close(1012, reason)


@asynccontextmanager
async def scripted(**options: int) -> AsyncIterator[ScriptedServer]:
    server = ScriptedServer(**options)
    async with serve(server.handle, "127.0.0.1", 0, subprotocols=["notifier.v1"]) as listener:  # type: ignore[list-item]
        server.port = next(iter(listener.sockets)).getsockname()[1]
        yield server


@asynccontextmanager
async def running(client: LedgerClient) -> AsyncIterator[LedgerClient]:
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        await client.stop()
        await asyncio.gather(task, return_exceptions=True)


def test_a_cut_client_reconnects_and_resumes() -> None:
    async def talk() -> None:
        async with scripted() as server, Proxy(server.port) as proxy:
            client = LedgerClient(f"ws://127.0.0.1:{proxy.port}", USER, "t", rng=random.Random(1))
            async with running(client):
                await client.wait_live()
                await server.publish()
                await client.wait_seq(1)
                proxy.refuse()
                assert proxy.cut_all() == 1
                await client.wait_for(lambda ledger: not ledger.live, 5, "noticed")
                await server.publish()
                await proxy.listen()
                await client.wait_seq(2)
            assert server.hellos == [0, 1]
            assert client.ledger.order == ["n1", "n2"]
            assert len(client.outages) == 1

    asyncio.run(talk())


def test_a_client_acks_in_groups_and_the_rest_after_a_moment() -> None:
    async def talk() -> None:
        async with scripted() as server:
            client = LedgerClient(f"ws://127.0.0.1:{server.port}", USER, "t", ack_every=5, ack_seconds=0.05)
            async with running(client):
                await client.wait_live()
                for _ in range(7):
                    await server.publish()
                async with asyncio.timeout(5):
                    assert [await server.acks.get(), await server.acks.get()] == [5, 7]

    asyncio.run(talk())


def test_a_breach_ends_the_client_and_is_raised_in_a_waiting_call() -> None:
    async def talk() -> None:
        async with scripted(skip=2) as server:
            client = LedgerClient(f"ws://127.0.0.1:{server.port}", USER, "t")
            async with running(client):
                await client.wait_live()
                for _ in range(3):
                    await server.publish()
                with pytest.raises(Breach, match="seq 3 after 1"):
                    await client.wait_seq(3)

    asyncio.run(talk())


def test_a_wait_that_is_not_fulfilled_is_a_failure() -> None:
    async def talk() -> None:
        async with scripted() as server:
            client = LedgerClient(f"ws://127.0.0.1:{server.port}", USER, "t")
            async with running(client):
                with pytest.raises(Breach, match="not within"):
                    await client.wait_seq(1, seconds=0.1)

    asyncio.run(talk())


def test_after_1012_a_client_reconnects_within_the_given_seconds() -> None:
    delays = [Backoff(random.Random(seed)).delay(1012, "restart; return within 5 s") for seed in range(200)]
    assert max(delays) <= 5
    assert max(delays) > 4
    assert min(delays) < 1


def test_the_bound_doubles_and_begins_again_after_success() -> None:
    backoff = Backoff(random.Random(1), base=0.2, cap=10)
    assert all(backoff.delay(None, "") <= min(10, 0.2 * 2**number) for number in range(12))
    assert max(backoff.delay(None, "") for _ in range(50)) > 5
    backoff.succeeded()
    assert backoff.delay(None, "") <= 0.2


def test_a_throttled_connection_is_slow_and_loses_nothing() -> None:
    sent = bytes(range(256)) * 160  # 40 KB

    async def talk() -> None:
        async def serve_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(sent)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve_bytes, "127.0.0.1", 0)
        async with server, Proxy(server.sockets[0].getsockname()[1], rate=80_000) as proxy:
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            begun = time.monotonic()
            assert await reader.readexactly(len(sent)) == sent
            assert 0.4 < time.monotonic() - begun < 3
            writer.close()

    asyncio.run(talk())


def test_during_an_outage_connects_are_refused() -> None:
    async def talk() -> None:
        async with scripted() as server, Proxy(server.port) as proxy:
            outage = asyncio.create_task(proxy.outage(0.2))
            await asyncio.sleep(0)
            with pytest.raises(OSError, match="onnect"):
                await asyncio.open_connection("127.0.0.1", proxy.port)
            await outage
            client = LedgerClient(f"ws://127.0.0.1:{proxy.port}", USER, "t")
            async with running(client):
                await client.wait_live()

    asyncio.run(talk())
