"""The attackers, each again and again until the time is up; prints their results as JSON.

python -m tests.flood.attack '{"port": …}' (the fields of `Attack`)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.harness.hostile.frames import Answer
from tests.harness.hostile.session import hello, upgrade

Outcomes = Counter[str]
LONGEST = 8
LOOK = 0.1  # seconds between two checks whether all awaited answers have come
DRIBBLE = 0.5  # seconds between two bytes of a slow-loris


@dataclass(frozen=True)
class Attack:
    """The attackers, and how long they attack.

    Attributes:
        port: the web process, on 127.0.0.1.
        seconds: how long; up to LONGEST times that, until every one of `awaited` has been met.
        pause: seconds within which they begin, and within which refused ones return.
        silent: sockets that never say hello.
        heads, bodies: slow-lorises that send a request's head or its body a byte at a time.
        key: an API key; its owner POSTs `posts` alerts a second to `victim`.
        token: of a user who opens `sockets` sockets.
    """

    port: int
    seconds: float
    pause: float
    silent: int
    heads: int
    bodies: int
    key: str
    posts: float
    victim: str
    token: str
    sockets: int
    awaited: Sequence[str] = ()


class Attackers:
    """The attackers of one flood."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
        self.outcomes: Outcomes = Counter()
        body = json.dumps({"user_id": attack.victim, "data": {"title": "t", "message": "m", "type": "info"}})
        self._post = (
            f"POST /api/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {attack.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    async def run(self) -> Outcomes:
        """Attack; return how often each result occurred."""
        attack, rng = self.attack, random.Random(1)
        work = [self._again(self._silent, rng.uniform(0, attack.pause)) for _ in range(attack.silent)]
        work += [self._again(self._head, rng.uniform(0, attack.pause)) for _ in range(attack.heads)]
        work += [self._again(self._body, rng.uniform(0, attack.pause)) for _ in range(attack.bodies)]
        work += [self._again(self._greedy, rng.uniform(0, attack.pause)) for _ in range(attack.sockets)]
        tasks = [asyncio.create_task(one) for one in [*work, self._flood()]]
        await asyncio.sleep(attack.seconds)
        for _ in range(int(attack.seconds * (LONGEST - 1) / LOOK)):
            if self.outcomes.keys() >= set(attack.awaited):
                break
            await asyncio.sleep(LOOK)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error
        return self.outcomes

    async def _again(self, deed: Callable[[], Awaitable[None]], start: float) -> None:
        await asyncio.sleep(start)
        while True:
            try:
                await deed()
            except OSError as error:
                self.outcomes[f"{deed.__name__[1:]}: {type(error).__name__}"] += 1
            await asyncio.sleep(random.uniform(0, self.attack.pause))

    async def _talk(self, what: str, first: bytes, then: bytes, dribble: bytes = b"") -> None:
        """Send something, read until the server closes the connection, and count how it did."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.attack.port)
        heard = b""
        ended = "still open"
        try:
            writer.write(first)
            if then:
                heard = await reader.readuntil(b"\r\n\r\n")
                writer.write(then)
            while True:
                try:
                    data = await asyncio.wait_for(reader.read(4096), DRIBBLE if dribble else None)
                except TimeoutError:
                    writer.write(dribble)
                    continue
                if not data:
                    break
                heard += data
            ended = "closed"
        except (ConnectionError, asyncio.IncompleteReadError):
            ended = "closed"
        finally:
            answer = Answer.of(heard)
            if ended == "closed":
                ended = f"closed with {answer.code}" if answer.code else str(answer.status or "closed")
            self.outcomes[f"{what}: {ended}"] += 1
            if "live" in answer.ops:
                self.outcomes[f"{what}: let in"] += 1
            if answer.wrong:
                self.outcomes[f"{what}: {answer.wrong[0]}"] += 1
            writer.transport.abort()

    async def _silent(self) -> None:
        await self._talk("silent", upgrade(), b"")

    async def _head(self) -> None:
        await self._talk("head", b"GET /healthz HTTP/1.1\r\nX: ", b"", b"x")

    async def _body(self) -> None:
        slow = self._post.replace(b"Content-Length: ", b"Content-Length: 9")
        await self._talk("body", slow, b"", b" ")

    async def _greedy(self) -> None:
        await self._talk("greedy", upgrade(), hello(self.attack.token))

    async def _flood(self) -> None:
        """POST at an even pace over a few connections, however long the answers take."""
        if not self.attack.posts:
            return
        lines = 8
        async with asyncio.TaskGroup() as group:
            for _ in range(lines):
                group.create_task(self._line(lines / self.attack.posts))

    async def _line(self, pause: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.attack.port)
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            writer.write(self._post)
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(size.partition(b":")[2]))
            told = " with Retry-After" if b"retry-after:" in head.lower() else ""
            self.outcomes[f"post: {head.split(b' ', 2)[1].decode()}{told}"] += 1
            due += pause
            await asyncio.sleep(max(0.0, due - loop.time()))


def main() -> None:
    """Attack as the argument says."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    outcomes = asyncio.run(Attackers(Attack(**json.loads(sys.argv[1]))).run())
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(outcomes), flush=True)


if __name__ == "__main__":
    main()
