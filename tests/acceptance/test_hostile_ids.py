"""Every string without control characters is an ordinary, separate user, on both backends.

Tested under load, in the inbox, in the reports and in the file broker's folder.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.harness.client import LedgerClient
from tests.harness.look_alikes import IDS
from tests.harness.site import Site

ALERTS = 4  # to each user alone; then one to all, and a badge
SENDERS = 4
DEVICE = "hostile-ids"
LAST = ALERTS + 2
CATCH_UP = 60.0  # seconds; for all of them, on a busy machine


class Crowd:
    """A live client for each user, and what was sent to each."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.sent: dict[str, list[str]] = defaultdict(list)
        self.clients = {
            user: LedgerClient(site.backend.ws_url, user, site.backend.token(user), device=DEVICE)
            for user in IDS
        }

    async def tell_all(self) -> None:
        """Connect all, send to them in a mixed order, and let each also try to read the next one's alert."""
        running = [asyncio.create_task(client.run()) for client in self.clients.values()]
        for client in self.clients.values():
            await client.wait_live(CATCH_UP)
        await asyncio.to_thread(self._send_mixed)
        for user, client in self.clients.items():
            await client.wait_seq(LAST, CATCH_UP)
            client.ledger.account(self.sent[user])
            client.ledger.in_order(self.sent[user])
        neighbours = dict(zip(IDS, [*IDS[1:], IDS[0]], strict=True))
        for user, client in self.clients.items():
            await client.send(op="read", ids=[self.sent[neighbours[user]][1], self.sent[user][0]])
        for client in self.clients.values():
            await client.wait_seq(LAST + 1, CATCH_UP)
            assert client.ledger.frames[-1]["data"] == {"ids": [self.sent[client.user_id][0]]}
        await asyncio.gather(*(client.stop() for client in self.clients.values()))
        await asyncio.gather(*running)

    def _send_mixed(self) -> None:
        """Send from several threads, each to its own users, so that each user's order is known."""
        with ThreadPoolExecutor(SENDERS) as threads:
            list(threads.map(self._send, range(SENDERS)))
        everyone = self.site.api.send_many(IDS)
        assert everyone.status == 202, everyone
        for user in IDS:
            self.sent[user].append(everyone.json["id"])

    def _send(self, sender: int) -> None:
        users = IDS[sender::SENDERS] * (ALERTS + 1)
        random.Random(sender).shuffle(users)
        for user in users:
            if len(self.sent[user]) == ALERTS // 2:
                answer = self.site.api.badge(user, "tasks", len(user))
            else:
                answer = self.site.api.send(
                    user, {"title": f"to {user}", "message": f"for {user}", "type": "info"}
                )
            assert answer.status == 202, (user, answer)
            self.sent[user].append(answer.json["id"])


@pytest.mark.timeout(240)
def test_not_one_event_reaches_another_user(site: Site) -> None:
    crowd = Crowd(site)
    asyncio.run(crowd.tell_all())
    for user, client in crowd.clients.items():
        assert client.ledger.seq == LAST + 1
        assert client.ledger.connections == 1, client.closes
        the_inbox_is_its_own(site, user, crowd.sent[user])
    devices = reported_devices(site)
    assert {user: devices.get(user, 0) for user in IDS} == dict.fromkeys(IDS, 1)
    if site.backend.kind == "embedded":
        the_folder_shows_no_ids(site)


def the_inbox_is_its_own(site: Site, user: str, sent: list[str]) -> None:
    badge, first = sent[ALERTS // 2], sent[0]
    with site.user(user) as api:
        page = api.inbox().json
    assert [item["id"] for item in page["items"]] == [id for id in reversed(sent) if id != badge]
    assert {item["data"]["message"] for item in page["items"][1:]} == {f"for {user}"}
    assert [item["id"] for item in page["items"] if item["read_at"]] == [first]
    assert page["unread"] == ALERTS
    assert page["badges"] == {"tasks": len(user)}
    notification = site.api.notification(sent[1]).json
    assert (notification["recipients"], notification["read"]) == (1, 0)


def reported_devices(site: Site) -> dict[str, int]:
    """Return how many devices each user has, for the users of this test."""
    found: dict[str, int] = defaultdict(int)
    path: str | None = "/api/reports/devices?limit=1000"
    while path is not None:
        page = site.api.get(path)
        rows: list[dict[str, Any]] = page.json
        for row in rows:
            found[row["user_id"]] += row["device"] == DEVICE
        link = re.match(r"<(.*)>; rel", page.headers.get("link", ""))
        path = link[1] if link else None
    return found


def the_folder_shows_no_ids(site: Site) -> None:
    """Assert that names made from ids are hashes, and that nothing was written outside the folder."""
    bindings = site.backend.var_dir / "broker" / "events" / "bindings"
    names = [path.name for path in bindings.iterdir()]
    assert len(names) >= len(IDS)
    assert [name for name in names if not re.fullmatch("[0-9a-f]{64}", name)] == []
    beside = {path.name for path in site.backend.var_dir.parent.iterdir()}
    assert beside <= {site.backend.var_dir.name, *(process.log.name for process in site.processes)}


@pytest.mark.parametrize("user", ["", "x" * 129, "a\x00b", "a\nb", "\x1f", "a\x7fb", "\x85"])
def test_an_invalid_user_id_is_refused(site: Site, user: str) -> None:
    assert site.api.send(user).status == 422
    assert site.api.badge(user, "tasks", 1).status == 422
    assert site.api.send_many(["ok", user]).status == 422
    with site.open() as socket:
        socket.send(op="hello", token=site.backend.token(user), after=None)
        socket.expect_close(4401)
