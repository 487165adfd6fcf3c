"""A system on private servers, for a test that stops one of them."""

from __future__ import annotations

import time

from tests.chaos.stack import Stack
from tests.harness.backend_api import BackendApi
from tests.harness.http_client import Response
from tests.harness.plain_socket import Socket
from tests.harness.scrape import scrape
from tests.harness.site import new_user
from tests.harness.waiting import until


class Outage:
    """A web part of a stack, its metrics, and a user of this test."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.backend = stack.backends[0]
        self.api = BackendApi(self.backend.base_url, self.backend.api_key)
        self.user = new_user("outage")

    def socket(self) -> Socket:
        """Yield a live socket of the user."""
        socket = Socket(self.backend.ws_url)
        socket.enter(self.backend.token(self.user), 0)
        return socket

    def timed(self) -> tuple[Response, float]:
        """Send one alert; return the answer and the seconds it took."""
        begun = time.monotonic()
        answer = self.api.send(self.user)
        return answer, time.monotonic() - begun

    def ready(self, status: int, named: str = "") -> None:
        """Wait until /readyz has this state, and names what is down."""
        until(lambda: self.api.get("/readyz").status == status, 30, f"/readyz is {status}")
        assert named in self.api.get("/readyz").text.lower()

    def all_arrive(self, socket: Socket, ids: list[str]) -> None:
        """Assert that exactly these arrive, in this order."""
        assert [socket.expect("event", seconds=40)["id"] for _ in ids] == ids

    def now(self) -> dict[str, float]:
        """Return what /metrics shows."""
        return scrape(self.backend.base_url)

    def well(self) -> bool:
        """Assert that no metric of an alert rule is wrong."""
        now = self.now()
        up = now["notifier_broker_up"] == now["notifier_database_up"] == 1
        return up and now["notifier_waiting"] == now["notifier_dead"] == 0

    def end(self) -> None:
        """Start what was stopped, and wait until the system has recovered by itself."""
        for service in self.stack.services.values():
            service.thaw() if service.alive else service.start()
        for part in self.stack.dead():
            self.stack.start_again(part)
        until(self.well, 60, "all is well again")
        self.api.close()
