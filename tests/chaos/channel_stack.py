"""The parts of a run with channels: web, worker, two workers for channels, a mail server, a push service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.chaos import steps
from tests.chaos.channel_services import DIED, TAKEN
from tests.chaos.stack import Stack
from tests.harness.backends import Backend
from tests.harness.processes import REPO, Process
from tests.harness.waiting import free_port

CLAIM_SECONDS = 6
DEFINITIONS = {"categories": {"orders": {"title": "Orders", "reach": {"email": {}, "push": {}}}}}
SENDER = "no-reply@shop.example"


def vapid_key() -> str:
    """Return a new key pair, as NOTIFIER_VAPID_KEY takes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class ChannelStack(Stack):
    """A stack whose channels send to servers that keep records."""

    def __init__(self, kind: str, folder: Path, backend: Backend | None = None) -> None:
        super().__init__(kind, folder, backend=backend)
        self.ports = {"mail": free_port(), "push": free_port()}
        definitions = folder / "definitions.json"
        definitions.write_text(json.dumps(DEFINITIONS))
        self._extra |= {
            steps.CLAIM: str(CLAIM_SECONDS),
            "NOTIFIER_DEFINITIONS": str(definitions),
            "NOTIFIER_SMTP_URL": f"smtp://127.0.0.1:{self.ports['mail']}",
            "NOTIFIER_MAIL_FROM": SENDER,
            "NOTIFIER_PUBLIC_URL": "https://shop.example",
            "NOTIFIER_VAPID_KEY": vapid_key(),
            "NOTIFIER_PUSH_HOSTS": f"127.0.0.1:{self.ports['push']}",
            "NOTIFIER_REACH_CONCURRENCY": "8",
            "NOTIFIER_RETRY_BASE": "0.2",
            "NOTIFIER_RETRY_MAX": "1",
            "NOTIFIER_MAX_ATTEMPTS": "100",
        }

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        self.backends = [self._with_extra(self._given or self._first())]
        self.migrate(self.tree)
        self._add("web 1", self.env, "web")
        self._add("worker 1", self.env, "worker")
        for number in (1, 2):
            self._add(f"reach {number}", self.env, "worker", "--queues", "reach")
        for kind, port in self.ports.items():
            command = [
                sys.executable,
                "-m",
                "tests.chaos.channel_services",
                kind,
                str(port),
                str(self.record(kind)),
            ]
            log = self.folder / f"{kind}.log"
            self.processes[kind] = Process(kind, command, env=self.env, log=log, cwd=REPO)
        for process in self.processes.values():
            process.start()
        for kind in self.ports:
            self.processes[kind].wait_logged("ready")
        self.processes["web 1"].wait_ready(self.backends[0].base_url, 60)

    def record(self, kind: str) -> Path:
        """Return the file of a service's record."""
        return self.folder / f"{kind}.record"

    def taken(self, kind: str) -> Iterator[str]:
        """Return what a service has taken, as often as it has."""
        return self._lines(kind, TAKEN)

    def unanswered(self, kind: str) -> set[str]:
        """Return what a service took when it died at a step."""
        return set(self._lines(kind, DIED))

    def _lines(self, kind: str, word: str) -> Iterator[str]:
        path = self.record(kind)
        for line in path.read_text().splitlines() if path.exists() else ():
            first, _, key = line.partition(" ")
            if first == word:
                yield key
