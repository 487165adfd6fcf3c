"""The Node peer keeps the promises for which it is compared: `make bench-peers`.

Not part of `make test`: it tests no code of the product. Without node or Redis it is skipped.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg
import pytest

from bench.peers import install
from bench.peers.durable import FOLDER, NAME, Durable, running
from bench.peers.socketio_client import Client, Refused
from tests.harness.tokens import wrong_tokens
from tests.harness.waiting import until

ALERT = {"title": "Order Shipped", "message": "On its way.", "type": "success"}
QUICK = {"REPAIR_SECONDS": "1", "RETRY_SECONDS": "0.1", "SWEEP_SECONDS": "0.5"}


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: Any


class Caller:
    """A backend that POSTs to the peer over one connection, which is closed after the test."""

    lines: ClassVar[list[http.client.HTTPConnection]] = []

    def __init__(self, peer: Durable) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=20)
        self.lines.append(self._line)
        self._key = f"Bearer {peer.api_key}"

    def post(self, body: Any, **headers: str) -> Answer:
        """POST a JSON value, or bytes as they are; underscores in names of headers become hyphens."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {"Authorization": self._key, "Content-Type": "application/json", **more}
        self._line.request("POST", "/api/notifications", raw, all_headers)
        answer = self._line.getresponse()
        return Answer(
            answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(answer.read())
        )

    def send(self, user: str, title: str) -> str:
        """Send one alert; return its id."""
        answer = self.post({"user_id": user, "data": {**ALERT, "title": title}})
        assert answer.status == 202, answer
        return str(answer.body["id"])


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while Caller.lines:
        Caller.lines.pop().close()


@pytest.fixture(scope="module")
def peer() -> Iterator[Durable]:
    try:
        install.node(NAME)
        with running(**QUICK) as peer:
            yield peer
    except install.Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def own() -> Iterator[Durable]:
    """Yield a peer of its own, whose parts a test kills."""
    try:
        install.node(NAME)
        with running(**QUICK) as peer:
            yield peer
    except install.Missing as missing:
        pytest.skip(str(missing))


def rows(peer: Durable, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(peer.database_url, autocommit=True) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def change(peer: Durable, statement: str) -> None:
    with psycopg.connect(peer.database_url, autocommit=True) as connection:
        connection.execute(statement.encode())


def titles(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["data"]["title"] for event in events]


def assert_consistent(peer: Durable) -> None:
    """Assert that no log has a gap, heads are the last seqs, and unread counts those of the rows."""
    wrong = rows(
        peer,
        """SELECT inboxes.user_id, inboxes.seq, inboxes.unread, count(*), max(deliveries.seq),
             count(*) FILTER (WHERE read_at IS NULL)
           FROM inboxes JOIN deliveries USING (user_id) GROUP BY 1, 2, 3
           HAVING inboxes.seq <> count(*) OR inboxes.seq <> max(deliveries.seq)
             OR inboxes.unread <> count(*) FILTER (WHERE read_at IS NULL)""",
    )
    assert wrong == []


class TestCalls:
    @pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", "Basic dTpw"])
    def test_without_the_key_nothing_is_accepted(self, peer: Durable, key: str) -> None:
        answer = Caller(peer).post({"user_id": "nobody", "data": ALERT}, Authorization=key)
        assert answer.status == 401
        assert answer.headers["content-type"].startswith("application/problem+json")

    @pytest.mark.parametrize(
        "body",
        [
            {"data": ALERT},
            {"user_id": "u", "user_ids": ["u"], "data": ALERT},
            {"user_id": "", "data": ALERT},
            {"user_id": "a\nb", "data": ALERT},
            {"user_id": "u" * 129, "data": ALERT},
            {"user_id": "u", "data": {**ALERT, "title": ""}},
            {"user_id": "u", "data": {**ALERT, "title": "\u200b "}},
            {"user_id": "u", "data": {**ALERT, "title": "t" * 201}},
            {"user_id": "u", "data": {**ALERT, "message": "\x00"}},
            {"user_id": "u", "data": {**ALERT, "message": "\ud800 half"}},
            {"user_id": "u", "data": {**ALERT, "type": "loud"}},
            {"user_id": "u", "data": {**ALERT, "more": 1}},
            {"user_id": "u", "data": {**ALERT, "action": {"label": "Go", "url": "javascript:alert(1)"}}},
            {"user_id": "u", "data": {**ALERT, "action": {"label": "Go", "url": "//host"}}},
            {"user_id": "u", "data": ALERT, "event": "other"},
            [],
        ],
    )
    def test_what_breaks_a_rule_is_refused(self, peer: Durable, body: Any) -> None:
        answer = Caller(peer).post(body)
        assert answer.status == 422
        assert answer.body["errors"]

    def test_what_is_not_json_is_refused(self, peer: Durable) -> None:
        assert Caller(peer).post(b"{").status == 400

    def test_a_key_used_before_gets_the_first_answer(self, peer: Durable) -> None:
        caller, body = Caller(peer), {"user_id": "keyed", "data": ALERT}
        first = caller.post(body, Idempotency_Key="k1")
        again = caller.post(body, Idempotency_Key="k1")
        other = caller.post({"user_id": "keyed", "data": {**ALERT, "title": "x"}}, Idempotency_Key="k1")
        assert (first.status, again.status, other.status) == (202, 202, 422)
        assert again.body == first.body
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"
        assert len(rows(peer, "SELECT 1 FROM notifications WHERE user_ids = '{keyed}'")) == 1

    def test_one_key_at_the_same_moment_is_one_notification(self, peer: Durable) -> None:
        body = {"user_id": "raced", "data": ALERT}
        callers = [Caller(peer) for _ in range(16)]
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda caller: caller.post(body, Idempotency_Key="race"), callers))
        assert {answer.status for answer in answers} == {202}
        assert len({answer.body["id"] for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1


class TestSockets:
    def test_a_wrong_token_is_refused(self, peer: Durable) -> None:
        for token in wrong_tokens("u", peer.secret).values():
            with pytest.raises(Refused), Client(peer, "u", token=token):
                pass

    def test_nobody_hears_another_users_alerts(self, peer: Durable) -> None:
        caller = Caller(peer)
        with Client(peer, "*") as star, Client(peer, "a/b") as slash:
            caller.send("a/b", "for slash")
            caller.send("*", "for star")
            assert titles(star.wait_events(1)) == ["for star"]
            assert titles(slash.wait_events(1)) == ["for slash"]

    def test_what_was_missed_is_replayed_once_and_in_order(self, peer: Durable) -> None:
        caller = Caller(peer)
        with Client(peer, "returning", after=0) as client:
            caller.send("returning", "0")
            client.wait_events(1)
        for number in range(1, 6):
            caller.send("returning", str(number))
        until(
            lambda: rows(peer, "SELECT seq FROM inboxes WHERE user_id = 'returning'") == [(6,)], 10, "stored"
        )
        with Client(peer, "returning", after=1) as client:
            assert [name for name, _ in client.start] == ["welcome", *["notification"] * 5, "live"]
            assert client.seqs() == [2, 3, 4, 5, 6]
            caller.send("returning", "6")
            assert titles(client.wait_events(6)) == ["1", "2", "3", "4", "5", "6"]

    def test_replay_and_live_meet_without_a_gap(self, peer: Durable) -> None:
        with ThreadPoolExecutor(1) as pool:
            caller = Caller(peer)
            sending = pool.submit(lambda: [caller.send("meeting", str(number)) for number in range(300)])
            after: int = 0
            while not sending.done() or after < 300:
                with Client(peer, "meeting", after=after) as client:
                    if after < 300:
                        client.wait_events(1)
                    assert client.seqs() == list(range(after + 1, after + 1 + len(client.events)))
                    after = client.seqs()[-1] if client.events else after
            sending.result()

    def test_without_a_last_seq_the_newest_unread_come(self, peer: Durable) -> None:
        caller = Caller(peer)
        for number in range(60):
            caller.send("new device", str(number))
        until(
            lambda: rows(peer, "SELECT seq FROM inboxes WHERE user_id = 'new device'") == [(60,)],
            10,
            "stored",
        )
        with Client(peer, "new device") as client:
            assert client.named("welcome")[0]["unread"] == 60
            assert [item["seq"] for item in client.named("item")] == list(range(11, 61))

    def test_a_last_seq_beyond_the_head_is_reset(self, peer: Durable) -> None:
        with Client(peer, "from elsewhere", after=7) as client:
            assert [name for name, _ in client.start] == ["reset", "welcome", "live"]

    def test_delivered_means_acked(self, peer: Durable) -> None:
        caller = Caller(peer)
        query = (
            "SELECT seq FROM deliveries WHERE user_id = 'acking' AND delivered_at IS NOT NULL ORDER BY seq"
        )
        with Client(peer, "acking", after=0) as client:
            for number in range(4):
                caller.send("acking", str(number))
            client.wait_events(4)
            client.say("ack", seq=2)
            until(lambda: rows(peer, query) == [(1,), (2,)], 10, "two are delivered")
            client.say("ack", seq=99)  # never sent: only what was sent counts
            until(lambda: len(rows(peer, query)) == 4, 10, "four are delivered")

    def test_frames_that_arrive_twice_or_too_early_change_nothing(self, own: Durable) -> None:
        caller = Caller(own)
        with Client(own, "doubled", after=0) as client:
            for number in range(3):
                caller.send("doubled", str(number))
            first = dict(client.wait_events(3)[0])
            for seq in (1, 3, 9):
                frame = {"user": "doubled", "name": "notification", "frame": {**first, "seq": seq}}
                own.redis.command("PUBLISH", "frames", json.dumps([frame]))
            caller.send("doubled", "3")
            client.wait_events(4)
            assert client.seqs() == [1, 2, 3, 4]


class TestOrderAndCounts:
    def test_of_two_sends_the_first_accepted_comes_first(self, own: Durable) -> None:
        """Use two workers, and other callers that write at the same time."""
        second = own.process("worker", "second-worker").start().wait_logged("ready")
        users, each = [f"ordered-{number}" for number in range(8)], 60

        def caller(user: str) -> None:
            line = Caller(own)
            for number in range(each):
                line.send(user, str(number))

        try:
            clients = [Client(own, user, after=0).__enter__() for user in users]
            with ThreadPoolExecutor(len(users)) as pool:
                list(pool.map(caller, users))
            for client in clients:
                events = client.wait_events(each)
                assert titles(events) == [str(number) for number in range(each)]
                assert [event["seq"] for event in events] == list(range(1, each + 1))
                assert [event["unread"] for event in events] == list(range(1, each + 1))
                client.__exit__(None, None, None)
        finally:
            second.kill()
        assert_consistent(own)

    def test_the_unread_count_is_exact_while_alerts_come_and_are_read(self, peer: Durable) -> None:
        caller = Caller(peer)
        with ThreadPoolExecutor(1) as pool, Client(peer, "reading", after=0) as client:
            sending = pool.submit(lambda: [caller.send("reading", str(number)) for number in range(200)])
            for count in range(10, 200, 10):
                client.wait_events(count)
                client.say("read", through=count)
            sending.result()
            client.wait_events(200)
            client.say("read", through=200)
            while client.wait_for("read")["through"] < 200:
                pass
        assert rows(peer, "SELECT unread FROM inboxes WHERE user_id = 'reading'") == [(0,)]
        assert_consistent(peer)


class TestWhatIsKilled:
    def test_a_sweep_finds_what_no_job_reached(self, own: Durable) -> None:
        own.worker.kill()
        caller = Caller(own)
        for number in range(5):
            caller.send("swept", str(number))
        assert len(rows(own, "SELECT 1 FROM notifications WHERE state = 'accepted'")) == 5
        own.redis.command("FLUSHALL")
        own.start_worker()
        with Client(own, "swept", after=0) as client:
            assert titles(client.wait_events(5)) == ["0", "1", "2", "3", "4"]

    def test_a_worker_killed_under_load_loses_and_doubles_nothing(self, own: Durable) -> None:
        count = 400
        with ThreadPoolExecutor(1) as pool, Client(own, "killed", after=0) as client:
            caller = Caller(own)
            sending = pool.submit(lambda: [caller.send("killed", str(number)) for number in range(count)])
            for heard in (50, 150, 250):
                client.wait_events(heard)
                own.worker.kill()
                own.start_worker()
            sending.result()
            assert titles(client.wait_events(count)) == [str(number) for number in range(count)]
            assert client.seqs() == list(range(1, count + 1))
        assert_consistent(own)

    def test_what_was_committed_but_never_published_is_noticed(self, own: Durable) -> None:
        """The worker is killed between its commit and its publish."""
        with Client(own, "unpublished", after=0) as client:
            own.worker.kill()
            Caller(own).send("unpublished", "0")
            statement = re.sub(r"--.*", "", (FOLDER / "sql" / "dispatch.sql").read_text())
            change(own, statement.replace("$1", "100").replace("$2", "NULL"))
            assert titles(client.wait_events(1)) == ["0"]

    def test_a_web_process_killed_after_its_202_loses_nothing(self, own: Durable) -> None:
        own.worker.kill()
        Caller(own).send("web died", "0")
        own.web.kill()
        own.start_web()
        own.start_worker()
        with Client(own, "web died", after=0) as client:
            assert titles(client.wait_events(1)) == ["0"]

    def test_without_redis_a_call_is_accepted_and_goes_out_later(self, own: Durable) -> None:
        caller = Caller(own)
        caller.send("patient", "before")
        with Client(own, "patient", after=0) as client:
            client.wait_events(1)
            own.redis.kill()
            caller.send("patient", "meanwhile")
            own.redis.start()
            assert titles(client.wait_events(2)) == ["before", "meanwhile"]
            caller.send("patient", "after")
            assert titles(client.wait_events(3))[-1] == "after"


class TestFailures:
    def test_a_bad_row_is_tried_again_then_dead_and_holds_up_no_other(self, own: Durable) -> None:
        refuse(own, "poison")
        caller = Caller(own)
        with Client(own, "healthy", after=0) as client:
            with ThreadPoolExecutor(8) as pool:
                callers = [Caller(own) for _ in range(8)]
                users = ["poison", *["healthy"] * 7]
                list(pool.map(lambda at: callers[at].send(users[at], str(at)), range(8)))
            client.wait_events(7, 5)
        query = "SELECT state, attempts, error FROM notifications WHERE user_ids = '{poison}'"
        until(lambda: rows(own, query)[0][0] == "dead", 20, "it is dead")
        assert rows(own, query) == [("dead", 5, "refused")]
        assert rows(own, "SELECT 1 FROM inboxes WHERE user_id = 'poison'") == []
        caller.send("healthy", "after")

    def test_a_row_that_fails_for_a_while_goes_out(self, own: Durable) -> None:
        refuse(own, "unlucky")
        Caller(own).send("unlucky", "0")
        query = "SELECT attempts FROM notifications WHERE user_ids = '{unlucky}'"
        until(lambda: rows(own, query)[0][0] > 0, 10, "it failed once")
        change(own, "DROP TRIGGER refuse ON deliveries")
        with Client(own, "unlucky", after=0) as client:
            assert client.wait_events(1)[0]["unread"] == 1


def refuse(peer: Durable, user: str) -> None:
    """Let the database refuse this user's deliveries."""
    change(
        peer,
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.user_id = '{user}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION refuse()""",
    )


def test_the_lock_file_names_no_registry() -> None:
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert (
        subprocess.run(["git", "check-ignore", "-q", str(FOLDER / "node_modules")], check=False).returncode
        == 0
    )
