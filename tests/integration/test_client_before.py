"""The client of before and the client of now against this server's log: counts exact, withdrawn entries gone.

The client of before (`tests/data/client-before`) knows nothing of why an entry is archived, of snoozes or of
collapse keys.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notifier.core import frames
from notifier.core.log import Status, Why
from notifier.outbox.types import now
from tests.harness.world import ROOT, World

USER = "u1"
CLIENTS = {"before": ROOT / "tests/data/client-before/notifier.js", "now": ROOT / "client/notifier.js"}
#: Applies frames to a store; tells what it shows after each of them.
SCRIPT = """
import { readFileSync } from "node:fs";
const { Store } = await import(process.argv[1]);
const runs = JSON.parse(readFileSync(0, "utf8"));
const shown = runs.map(({ after, frames }) => {
  const store = new Store({ after });
  const unread = frames.map((frame) => { store.apply(frame); return store.unread; });
  const items = store.items.map(({ id, seq, read_at }) => [id, seq, read_at === null]);
  return { seq: store.seq, unread, items, unseen: store.unseen ?? null };
});
console.log(JSON.stringify(shown));
"""


def loaded(*texts: bytes) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def window(world: World) -> list[dict[str, Any]]:
    """What `hello` with `after: null` gets now."""
    at = world.snapshot(USER)
    items = [frames.item(USER, item) for item in at.window or ()]
    return loaded(frames.welcome(USER, at, 25.0), *items, frames.live(at.head))


def events(world: World, after: int) -> list[dict[str, Any]]:
    return loaded(*(frames.event(USER, entry) for entry in world.log(USER, after)))


def deed(world: World, chance: random.Random, ids: list[str]) -> None:
    """One thing that happens to the inbox."""
    id = chance.choice(ids) if ids else ""
    what = chance.choice(["send", "key"]) if not ids else chance.choice(
        ["send", "send", "key", "key", "read", "through", "unread", "archive", "snooze", "snooze", "back",
         "unsnooze", "retract", "expire", "seen", "badge"]
    )  # fmt: skip
    match what:
        case "send" | "key":
            key = {"collapse_key": f"k{chance.randrange(2)}"} if what == "key" else {}
            ids.append(world.send(USER, **key))
            world.dispatch()
        case "read":
            world.read(USER, id)
        case "through":
            world.read_through(USER, chance.randrange(1, world.head(USER)[0] + 1))
        case "unread":
            world.unread(USER, id)
        case "archive":
            world.archive(USER, id)
        case "snooze":
            world.snooze(USER, id, until=now() + timedelta(seconds=chance.choice([-1, 3600])))
        case "back":
            world.bring_back()
        case "unsnooze":
            world.unsnooze(USER, id)
        case "retract" | "expire":
            world.withdraw(id, why=Why.RETRACTED if what == "retract" else Why.EXPIRED)
        case "seen":
            world.seen(USER, chance.randrange(1, world.head(USER)[0] + 1))
        case "badge":
            world.badge(USER, "tasks", chance.randrange(9))
            world.dispatch()


def shown(client: str, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    command = [node, "--input-type=module", "-e", SCRIPT, Path(CLIENTS[client]).as_uri()]
    done = subprocess.run(command, input=json.dumps(runs), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("seed", range(6))
def test_both_clients_count_right_and_lose_what_is_withdrawn(world: World, seed: int) -> None:
    chance = random.Random(seed)
    ids: list[str] = []
    for _ in range(chance.randrange(20)):
        deed(world, chance, ids)
    begins = window(world)
    head = world.snapshot(USER).head
    live: list[dict[str, Any]] = []
    for _ in range(60):
        before = head + len(live)
        deed(world, chance, ids)
        live += events(world, before)  # as it is published
    at = world.snapshot(USER, 0)
    replayed = [*loaded(frames.welcome(USER, at, 25.0)), *events(world, 0), *loaded(frames.live(at.head))]
    resumed = [*loaded(frames.welcome(USER, at, 25.0)), *events(world, head), *loaded(frames.live(at.head))]
    runs = [
        {"after": None, "frames": [*begins, *live]},
        {"after": 0, "frames": replayed},
        {"after": None, "frames": [*begins, *resumed]},
    ]
    present = {item.id: (item.seq, item.read_at is None) for item in world.page(USER) if not item.archived_at}
    withdrawn = (
        set(ids)
        - present.keys()
        - {i.id for i in world.page(USER)}
        - {i.id for i in world.page(USER, Status.SNOOZED)}
    )
    for client in CLIENTS:
        for run, told in zip(runs, shown(client, runs), strict=True):
            assert told["seq"] == world.head(USER)[0]
            assert told["unread"][-1] == world.head(USER)[1]
            counts = [frame.get("unread") for frame in run["frames"]]
            if run["frames"][0]["op"] == "welcome" and run is runs[0]:
                assert told["unread"][len(begins) :] == counts[len(begins) :]
            held = {id: (seq, unread) for id, seq, unread in told["items"]}
            assert held.keys().isdisjoint(withdrawn)
            assert held.keys() <= present.keys(), "shows what has left the inbox"
            if client == "before":
                continue
            assert all(present[id] == state for id, state in held.items())
            fresh = {item.id for item in world.snapshot(USER).window or ()}
            assert fresh <= held.keys()
            assert told["unseen"] == world.snapshot(USER).unseen
    assert world.violations() == []
