"""The browser client of the round before, under Node, beside the present one, connected to a running site.

It knows nothing of why an entry leaves, of snoozes, updates or collapse keys; its counts stay exact, and it
loses what is withdrawn. What returns it shows after its next start, and a new text too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.harness.processes import REPO, clean_env
from tests.harness.site import Site
from tests.harness.waiting import until

CLIENTS = {"before": REPO / "tests/data/client-before/notifier.js", "now": REPO / "client/notifier.js"}
ALERT = {"title": "t", "message": "m", "type": "info"}
#: Prints the client's state whenever it may have changed, as a line of JSON.
SCRIPT = """
const [file, url, token] = process.argv.slice(1);
const { NotifierClient } = await import(file);
const client = new NotifierClient({ url, token: async () => token });
let last = "";
setInterval(() => {
  const { state, store: { unread, items } } = client;
  const said = JSON.stringify({ state, unread, items: items.map(({ id, read_at, data }) => [id, read_at !== null, data.title]) });
  if (said !== last) console.log((last = said));
}, 20);
client.connect();
"""


class Client:
    """A client that runs under Node; `state` is what it told last."""

    def __init__(self, site: Site, user: str, which: str) -> None:
        node = shutil.which("node")
        assert node is not None
        arguments = [CLIENTS[which].as_uri(), site.backend.base_url, site.backend.token(user)]
        self._process = subprocess.Popen(
            [node, "--no-warnings", "--experimental-websocket", "--input-type=module", "-e", SCRIPT, *arguments],
            env=clean_env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.state: dict[str, Any] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.state = json.loads(line)

    def shows(self, *items: tuple[str, bool, str], unread: int) -> None:
        """Wait until it shows these entries (id, whether read, title), in any order, and this count."""

        def right() -> bool:
            shown = sorted(tuple(item) for item in self.state.get("items", []))
            return shown == sorted(items) and self.state.get("unread") == unread

        try:
            until(right, 20, "it shows what is there")
        except AssertionError:
            raise AssertionError(f"shows {self.state}, not {items} and {unread}") from None

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def connected(site: Site, user: str) -> Iterator[list[Client]]:
    """Run both clients of a user until they are live."""
    clients: list[Client] = []
    try:
        clients += [Client(site, user, which) for which in CLIENTS]
        for client in clients:
            until(lambda c=client: c.state.get("state") == "live", 30, "it is live")
        yield clients
    finally:
        for client in clients:
            client.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.timeout(240)
def test_the_client_of_before_counts_right_and_loses_what_is_withdrawn(site: Site, user: str) -> None:
    with connected(site, user) as clients:

        def all_show(*items: tuple[str, bool, str], unread: int) -> None:
            for client in clients:
                client.shows(*items, unread=unread)

        one, two = site.send(user, "One"), site.send(user, "Two")
        all_show((one, False, "One"), (two, False, "Two"), unread=2)
        assert site.api.cancel(one).json["status"] == "retracted"
        all_show((two, False, "Two"), unread=1)
        brief = site.api.send(user, {**ALERT, "title": "Brief"}, expires_in=2).json["id"]
        all_show((two, False, "Two"), (brief, False, "Brief"), unread=2)
        all_show((two, False, "Two"), unread=1)
        keys = [
            site.api.send(user, {**ALERT, "title": f"Key {n}"}, collapse_key="k").json["id"] for n in (1, 2)
        ]
        all_show((two, False, "Two"), (keys[1], False, "Key 2"), unread=2)
        with site.user(user) as reader:
            assert reader.post("/api/inbox/seen", {"through": 4}).status == 200
            later = int((time.time() + 3) * 1000)
            assert reader.post("/api/inbox/snooze", {"ids": [two], "until": later}).status == 200
            all_show((keys[1], False, "Key 2"), unread=1)
            assert reader.read([keys[1]]).status == 200
        before, now = clients
        key, back = (keys[1], True, "Key 2"), (two, False, "Two")
        now.shows(key, back, unread=1)
        before.shows(key, unread=1)
        at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
        due = site.api.send(user, {**ALERT, "title": "Due"}, deliver_at=at).json["id"]
        now.shows(key, back, (due, False, "Due"), unread=2)
        before.shows(key, (due, False, "Due"), unread=2)
        assert site.api.update(due, {**ALERT, "title": "New"}).status == 200
        now.shows(key, back, (due, False, "New"), unread=2)
        before.shows(key, (due, False, "Due"), unread=2)
    with connected(site, user) as clients:
        for client in clients:
            client.shows((two, False, "Two"), (due, False, "New"), unread=2)
