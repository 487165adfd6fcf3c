"""Each row of the runbook's table of faults, caused in a running system: what `/readyz`, `/metrics` and the rules say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

import pytest
import sqlalchemy as sa

from tests.chaos import database_faults
from tests.chaos.outage import Outage
from tests.harness import http_client, rabbit_faults
from tests.harness.http_client import Response
from tests.harness.postgres import PrivatePostgres, execute
from tests.harness.processes import REPO
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.services import can_mount, missing
from tests.harness.waiting import until
from web.dashboard.alert_rules import verdicts

pytestmark = [pytest.mark.timeout(240), pytest.mark.alone]

LONG = {"title": "Long", "message": "m" * 4_000, "type": "info"}
#: Rules over minutes: the counter whose increase each limits. What it shows for one fault, it shows within 5 minutes.
INCREASES = {
    "NotifierDatabaseErrors": ("notifier_database_errors_total", 10),
    "NotifierBrokerUnbound": ("notifier_broker_unbound_total", 0),
}


class Scene:
    """A system with one fault, as an operator sees it."""

    def __init__(self, outage: Outage) -> None:
        self.outage = outage
        self.before = outage.now()

    @property
    def postgres(self) -> PrivatePostgres:
        server = self.outage.stack.services["postgres"]
        assert isinstance(server, PrivatePostgres)
        return server

    @property
    def rabbit(self) -> PrivateRabbit:
        server = self.outage.stack.services["rabbitmq"]
        assert isinstance(server, PrivateRabbit)
        return server

    def ready(self) -> Response:
        return self.outage.api.get("/readyz")

    def firing(self) -> set[str]:
        """Return the rules that fire now, or would after their time (`for:`)."""
        now = self.outage.now()
        text = self.outage.api.get("/metrics").text
        fired = {verdict.rule for verdict in verdicts(text) if verdict.firing}
        for rule, (counter, limit) in INCREASES.items():
            if now[counter] - self.before[counter] > limit:
                fired.add(rule)
        return fired

    def execute(self, statement: str) -> None:
        """Run a statement as an operator, in our database."""
        execute(self.postgres.url("chaos"), statement)

    def alter(self, statement: str) -> None:
        """Run a statement beside our database, and let our processes begin new sessions."""
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'notifier'"
        for each in (statement, ended):
            execute(self.postgres.admin_url, each)

    @contextmanager
    def transaction(self, *statements: str) -> Iterator[None]:
        """Hold a transaction open."""
        engine = sa.create_engine(self.postgres.url("chaos"), poolclass=sa.NullPool)
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(sa.text(statement))
            yield
            connection.rollback()


@contextmanager
def _dead(scene: Scene, *parts: str) -> Iterator[None]:
    for part in parts:
        scene.outage.stack.kill(part)
    try:
        yield
    finally:
        for part in parts:
            scene.outage.stack.start_again(part)


@contextmanager
def _setting(scene: Scene, setting: str) -> Iterator[None]:
    scene.alter(f"ALTER DATABASE chaos SET {setting}")
    try:
        yield
    finally:
        scene.alter("ALTER DATABASE chaos RESET ALL")


@contextmanager
def _without_a_grant(scene: Scene) -> Iterator[None]:
    scene.execute("CREATE ROLE reader")
    scene.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    scene.alter("ALTER ROLE live IN DATABASE chaos SET role = reader")
    try:
        yield
    finally:
        scene.alter("ALTER ROLE live IN DATABASE chaos RESET ALL")
        scene.execute("DROP OWNED BY reader; DROP ROLE reader")


@contextmanager
def _full(scene: Scene) -> Iterator[None]:
    if not can_mount():
        raise missing("no disk can be mounted here")
    ballast = scene.postgres.folder / "ballast"
    database_faults.fill(ballast)
    for _ in range(3_000):  # until a table has to grow
        if scene.outage.api.send("somebody", LONG).status == 503:
            break
    try:
        yield
    finally:
        ballast.unlink()
        if not scene.postgres.alive:
            scene.postgres.start()
        until(lambda: scene.outage.timed()[0].status == 202, 30, "a write succeeds")


@contextmanager
def _timeouts(scene: Scene) -> Iterator[None]:
    lock = "LOCK TABLE notifier_notifications IN ACCESS EXCLUSIVE MODE"
    with _setting(scene, "statement_timeout = '200ms'"), scene.transaction("SET statement_timeout = 0", lock):
        assert {scene.outage.timed()[0].status for _ in range(12)} == {503}
        yield


@contextmanager
def _locked_inbox(scene: Scene) -> Iterator[None]:
    user = scene.outage.user
    scene.outage.timed()
    until(lambda: scene.outage.now()["notifier_waiting"] == 0, 20, "it has an inbox")
    with scene.transaction(f"SELECT 1 FROM notifier_inboxes WHERE user_id = '{user}' FOR UPDATE"):
        assert scene.outage.timed()[0].status == 202
        yield


@contextmanager
def _no_worker(scene: Scene) -> Iterator[None]:
    with _dead(scene, "worker 1", "worker 2"):
        assert scene.outage.timed()[0].status == 202
        yield


@contextmanager
def _blocked(scene: Scene) -> Iterator[None]:
    rabbit_faults.memory_alarm(scene.rabbit, on=True)
    try:
        yield
    finally:
        rabbit_faults.memory_alarm(scene.rabbit, on=False)


@contextmanager
def _forbidden(scene: Scene) -> Iterator[None]:
    rabbit_faults.without_permission(scene.rabbit, "write")
    try:
        yield
    finally:
        rabbit_faults.permissions(scene.rabbit)


@contextmanager
def _declared_differently(scene: Scene) -> Iterator[None]:
    with rabbit_faults.connected(scene.rabbit) as channel:
        channel.exchange_delete(rabbit_faults.EXCHANGE)
        channel.exchange_declare(rabbit_faults.EXCHANGE, "topic", durable=True, auto_delete=False)
    try:
        yield
    finally:
        with rabbit_faults.connected(scene.rabbit) as channel:
            channel.exchange_delete(rabbit_faults.EXCHANGE)


@contextmanager
def _deleted(scene: Scene) -> Iterator[None]:
    rabbit_faults.delete_exchange(scene.rabbit)
    yield


@dataclass(frozen=True)
class Row:
    """What shows a fault. `part` and `state`: of `/readyz`; without them it is 200.

    `also`: a rule that fires for the way in which the fault is caused here.
    """

    cause: Callable[[Scene], AbstractContextManager[None]]
    alert: str
    part: str = ""
    state: str = ""
    also: str = ""


#: The first words of a row of the table -> how it is caused, and what shows it.
ROWS = {
    "the database is down": Row(
        lambda scene: _dead(scene, "postgres"), "NotifierDatabaseDown", "database", "unreachable"
    ),
    "the database is read-only": Row(
        lambda scene: _setting(scene, "default_transaction_read_only = on"),
        "NotifierDatabaseRefuses", "database", "read-only",
    ),
    "a grant is missing": Row(_without_a_grant, "NotifierDatabaseRefuses", "database", "no permission"),
    "the disk of the database is full": Row(_full, "NotifierDatabaseRefuses", "database", "full"),
    "statements time out": Row(
        _timeouts, "NotifierDatabaseRefuses", "database", "timeout", also="NotifierDatabaseDown"
    ),
    "one inbox is locked": Row(_locked_inbox, "NotifierWaitingTooOld"),
    "no worker runs": Row(_no_worker, "NotifierWaitingTooOld"),
    "the broker is down": Row(
        lambda scene: _dead(scene, "rabbitmq"), "NotifierBrokerDown", "broker", "unreachable"
    ),
    "RabbitMQ is blocked": Row(_blocked, "NotifierBrokerBlocked", "broker", "blocked"),
    "a permission at the broker": Row(_forbidden, "NotifierBrokerRefuses", "broker", "no permission"),
    "a queue or an exchange of our name exists": Row(
        _declared_differently, "NotifierBrokerRefuses", "broker", "other arguments", also="NotifierBrokerUnbound"
    ),
    "the exchange, queues or bindings were deleted": Row(_deleted, "NotifierBrokerUnbound"),
}  # fmt: skip
#: A row whose part cannot be asked any more.
WEB_ENDED = "a web process has ended"


def table() -> list[list[str]]:
    """Return the cells of the table's rows."""
    text = (REPO / "docs" / "runbook.md").read_text()
    rows = text.partition("## Faults and where they show")[2].partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows if row.startswith("| ")][
        2:
    ]


def test_every_row_of_the_table_is_caused_here_and_names_what_shows_it() -> None:
    rows = table()
    for cells in rows:
        fault, ready, _, alert, _ = cells
        if fault.startswith(WEB_ENDED):
            continue
        (row,) = [row for name, row in ROWS.items() if fault.startswith(name)]
        assert row.alert in re.findall(r"\[(\w+)\]", alert), fault
        if row.state:
            assert f"503, `{row.part}`: `{row.state}`" in ready, fault
        else:
            assert "200" in ready or "for a second" in ready, fault
    assert len(rows) == len(ROWS) + 1


@pytest.mark.parametrize("name", ROWS)
def test_a_fault_shows_where_the_table_says(outage: Outage, name: str) -> None:
    row, scene = ROWS[name], Scene(outage)
    with ExitStack() as stack:
        stack.enter_context(row.cause(scene))
        until(lambda: row.alert in scene.firing(), 60, f"{row.alert} fires")
        if row.state:
            until(lambda: scene.ready().status == 503, 20, "/readyz is 503")
            ready = scene.ready()
            assert ready.json[row.part] == row.state
            other = "broker" if row.part == "database" else "database"
            assert ready.json[other] == "ok"
            assert outage.now()[f"notifier_{row.part}_state state={row.state}"] == 1
        else:
            until(lambda: scene.ready().status == 200, 20, "/readyz is 200")
        others = scene.firing() - {"NotifierDatabaseErrors", row.also, row.alert}
        assert others == set(), "the rules tell faults apart"
    until(outage.well, 60, "all is well")
    assert scene.firing() <= set(INCREASES), "what is over fires no more, except for what counts minutes"


def test_a_web_process_that_has_ended_answers_nothing(outage: Outage) -> None:
    outage.stack.kill("web 1")
    with pytest.raises(OSError, match="refused"):
        outage.api.get("/readyz")
    outage.stack.start_again("web 1")
    until(lambda: http_client.status(f"{outage.backend.base_url}/readyz") == 200, 60, "it is back")
