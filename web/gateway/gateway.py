"""The gateway of one web process: its parts, its loops, its start and its stop."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import gevent.event

from notifier.broker.faults import Fault
from notifier.broker.message import Message
from notifier.broker.publisher import Publisher
from notifier.broker.subscriber import Subscriber
from notifier.broker.topology import REVOCATIONS, new_gateway_id
from notifier.core.errors import Restarting
from notifier.outbox.engine import Database
from notifier.settings import Settings
from notifier.tokens import Tokens
from web.gateway.acks import Acks
from web.gateway.admission import Admission, SocketSlot
from web.gateway.broker_watch import BrokerWatch
from web.gateway.connection import ClientConnection
from web.gateway.deadlines import TICK, Deadlines
from web.gateway.hub import Hub
from web.gateway.local_first import LocalFirst
from web.gateway.presence import Presence
from web.gateway.revocation_list import Revocations
from web.gateway.services import Services
from web.gateway.snapshots import SnapshotLoader
from web.gateway.takeover import TakenSocket
from web.gateway.turns import Turns
from web.gateway.websocket_transport import WebSocketTransport
from web.handles import handles_for_sockets
from web.one_at_a_time import OneAtATime

log = logging.getLogger(__name__)

REAP_INTERVAL = 1.0  # seconds
LOOK_INTERVAL = 1.0  # seconds between checks whether events reach this gateway
SHOW_INTERVAL = 0.25  # seconds between writes of the broker's gauges
DETACHED_INTERVAL = 2.0  # seconds between comparisons of heads while the broker is down
LOOK_PAUSE = 0.02  # seconds before the revocations are read, so that several messages share one read
DEVELOPMENT_TICK = 0.25  # seconds between looks whether a socket on Flask's development server is closed
RESTART_LOOP = 1.0  # seconds before a dead loop is started again


class Gateway:
    """Serves the WebSockets of this process.

    Args:
        settings: intervals and limits.
        database: the truth.
        publisher: carries changes of state to the other gateways.
        tokens: verifies a socket's user.
        revocations: whose tokens are revoked.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        publisher: Publisher,
        tokens: Tokens,
        revocations: Revocations,
    ) -> None:
        self.settings = settings
        self.id = new_gateway_id()
        self.presence = Presence(database, self.id)
        self.acks = Acks(database, self.presence)
        self._publisher = publisher
        self._subscriber = Subscriber(
            settings, gateway_id=self.id, on_message=self._on_message, on_recovered=self._on_recovered
        )
        self.hub = Hub(
            self._subscriber,
            database,
            linger=settings.linger,
            sockets_per_user=settings.sockets_per_user,
        )
        self._watch = BrokerWatch(
            publisher, self._subscriber, self.id, users=self.hub.confirmed, missed=self._missed
        )
        self.services = Services(
            settings=settings,
            gateway=self.id,
            verify=tokens.verify,
            database=database,
            publisher=LocalFirst(self.hub, publisher),
            hub=self.hub,
            snapshots=SnapshotLoader(database),
            acks=self.acks,
            presence=self.presence,
            changes=OneAtATime(),
            turns=Turns(),
            deadlines=Deadlines(),
        )
        self.admission = Admission(
            settings.sockets_per_address,
            settings.sockets_unauthenticated,
            sockets=settings.worker_connections,
            handles=handles_for_sockets,
        )
        self._loops: list[Any] = []
        self._compare_now = gevent.event.Event()
        self._revocations = revocations
        self._look_now = gevent.event.Event()
        self._hears_revocations = False
        self.stopping = False
        self.stopped = False
        self.connections: dict[ClientConnection, SocketSlot] = {}

    @property
    def connected(self) -> bool:
        """Whether the broker is connected."""
        return self._subscriber.connected

    @property
    def started(self) -> bool:
        """Whether the loops run."""
        return bool(self._loops)

    @property
    def broker_fault(self) -> Fault | None:
        """The broker's fault within the last second, once it is `started`; None: there is none."""
        return self._watch.fault

    # ---------------------------------------------------------------- start and stop

    def start(self) -> None:
        """Start the loops, once; each is started again when it dies."""
        if self._loops or self.stopping:
            return
        log.info("gateway starts: gateway=%s", self.id)
        for name, loop in (
            ("subscriber", self._subscriber.run),
            ("acks", self._every(self.settings.ack_interval, self.acks.flush)),
            ("reaper", self._every(REAP_INTERVAL, self.hub.reap)),
            ("broker gauge", self._every(SHOW_INTERVAL, self._watch.show)),
            ("broker watch", self._every(LOOK_INTERVAL, self._watch.look)),
            ("heads", self._heads),
            ("deadlines", self._deadlines),
            ("revocations", self._revocations_loop),
            ("revocations' bell", self._every(REAP_INTERVAL, self._hear_revocations)),
        ):
            self._loops.append(gevent.spawn(self._supervised, name, loop))

    def _supervised(self, name: str, loop: Callable[[], None]) -> None:
        while True:
            try:
                loop()
            except Exception:
                log.exception("a loop died and is started again: loop=%s gateway=%s", name, self.id)
            if self.stopping:
                return
            gevent.sleep(RESTART_LOOP)

    def _every(self, seconds: float, work: Callable[[], None]) -> Callable[[], None]:
        def loop() -> None:
            while not self.stopping:
                gevent.sleep(seconds)
                work()

        return loop

    def _deadlines(self) -> None:
        while not self.stopped:  # a socket that closes has deadlines too
            gevent.sleep(TICK)
            self.services.deadlines.advance()

    def _heads(self) -> None:
        while not self.stopping:
            # Without the broker nothing else reports what other processes commit.
            interval = DETACHED_INTERVAL if self.broker_fault else self.settings.heads_interval
            self._compare_now.wait(min(interval, self.settings.heads_interval))
            self._compare_now.clear()
            self.hub.compare_heads()

    def _hear_revocations(self) -> None:
        """Subscribe once; not before there is a connection, or the first one would count as a recovery."""
        if self.connected and not self._hears_revocations:
            self._hears_revocations = self._subscriber.subscribe(REVOCATIONS).wait(REAP_INTERVAL)
            if self._hears_revocations:
                log.info("subscribed to revocations: gateway=%s", self.id)

    def _revocations_loop(self) -> None:
        while not self.stopping:
            self._look_now.wait(self.settings.revocation_interval)
            gevent.sleep(LOOK_PAUSE)
            self._look_now.clear()
            self.close_revoked()

    # ---------------------------------------------------------------- sockets

    def serve(self, taken: TakenSocket, *, address: str | None, user_agent: str | None) -> None:
        """Serve a socket from now on; return at once if it is detached from its handler, else at its end."""
        settings = self.settings
        transport = WebSocketTransport(
            taken, ping_interval=settings.ping_interval, slow_timeout=settings.slow_timeout
        )
        connection = ClientConnection(self.services, transport, user_agent, ended=self._ended)
        slot = self.admission.slot(address, connection.session.verify)
        connection.session.verify = slot.enter()
        self.connections[connection] = slot
        if self.stopping:  # since the handshake began
            connection.ask_to_close(Restarting.close_code, self._return_after())
        connection.start()
        while not taken.detached and connection in self.connections:
            gevent.sleep(DEVELOPMENT_TICK)

    def _ended(self, connection: ClientConnection) -> None:
        self.connections.pop(connection).leave()

    def _close(self, new: Mapping[str, float]) -> None:
        if not new:
            return
        for socket in tuple(self.connections):
            at = new.get(socket.session.user_id)
            if at is not None:
                socket.revoke(at)
        log.info("tokens revoked: users=%d gateway=%s", len(new), self.id)

    def close_revoked(self) -> None:
        """Read the new revocations, and close their sockets here."""
        users = (socket.session.user_id for socket in tuple(self.connections))
        self._close(self._revocations.refresh(user for user in users if user))

    def stop(self) -> None:
        """Close every socket with 1012, staggered over half of the grace time, and flush the acks.

        Each gets its own number of seconds after which to reconnect.
        """
        if self.stopping:
            return
        self.stopping = True
        try:
            self._stop()
        finally:
            self.stopped = True

    def _return_after(self) -> str:
        """Return the seconds after which a client is told to return."""
        return f"{random.uniform(0, self.settings.restart_spread):.1f}"  # noqa: S311

    def _stop(self) -> None:
        sockets = list(self.connections)
        random.shuffle(sockets)
        log.info("gateway stops: gateway=%s sockets=%d", self.id, len(sockets))
        deadline = time.monotonic() + self.settings.restart_grace
        pause = self.settings.restart_grace / 2 / max(1, len(sockets))
        for socket in sockets:
            socket.ask_to_close(Restarting.close_code, self._return_after())
            gevent.sleep(min(pause, 0.05))
        while self.connections and time.monotonic() < deadline:
            gevent.sleep(0.05)
        self.presence.stop()
        self.acks.flush()
        self._subscriber.stop()
        self._publisher.close()
        log.info("gateway stopped: gateway=%s left=%d", self.id, len(self.connections))

    # ---------------------------------------------------------------- events

    def _on_message(self, message: Message) -> None:
        if message.user_id == REVOCATIONS:
            self._look_now.set()
        else:
            self.hub.deliver(message)

    def _missed(self) -> None:
        self._look_now.set()
        self._compare_now.set()

    def _on_recovered(self) -> None:
        log.warning("the broker is back: comparing every socket with SQL: gateway=%s", self.id)
        self._missed()
