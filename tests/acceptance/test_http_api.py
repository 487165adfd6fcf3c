"""docs/contract.md, section 5: sending, status, badges, the inbox, and the public addresses."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from openapi_spec_validator import validate

from tests.harness.backend_api import ALERT
from tests.harness.http_client import Http
from tests.harness.site import Site
from tests.harness.waiting import until

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_notification_is_accepted_and_has_a_status(site: Site, user: str) -> None:
    answer = site.api.send(user)
    assert answer.status == 202
    assert answer.headers["content-type"].startswith("application/json")
    identity = answer.json["id"]
    assert answer.json == {"id": identity, "status": "accepted", "recipients": 1}
    assert UUID7.fullmatch(identity)
    assert answer.headers["location"].endswith(f"/api/notifications/{identity}")
    site.arrived(user, 1)
    found = site.api.get(f"/api/notifications/{identity}")
    assert found.status == 200
    assert found.json["accepted_at"]
    assert found.json == {
        "accepted_at": found.json["accepted_at"], "id": identity, "event": "alert", "data": ALERT,
        "status": "dispatched", "recipients": 1, "delivered": 0, "read": 0,
        "category": "general", "deliver_at": None, "expires_at": None, "version": 1,
        "suppressed": 0, "channels": {},
    }  # fmt: skip


def test_a_notification_that_does_not_exist_is_404(site: Site) -> None:
    for identity in (str(uuid.uuid4()), "x", "..", "a/b"):
        answer = site.api.notification(identity)
        assert answer.status == 404, answer
        assert answer.headers["content-type"] == "application/problem+json"


def test_many_recipients_get_one_notification(site: Site) -> None:
    users = [f"crowd-{uuid.uuid4().hex}" for _ in range(2500)]
    answer = site.api.send_many(users)
    assert (answer.status, answer.json["recipients"]) == (202, 2500)
    identity = answer.json["id"]
    until(lambda: site.api.notification(identity).json["status"] == "dispatched", 30, "dispatched")
    for chosen in (users[0], users[999], users[1000], users[-1]):
        with site.user(chosen) as api:
            assert [item["id"] for item in api.inbox().json["items"]] == [identity]


def test_one_bulk_call_may_name_ten_thousand(site: Site) -> None:
    users = [f"u{number}-{uuid.uuid4().hex[:8]}" for number in range(10_000)]
    answer = site.api.send_many(users)
    assert (answer.status, answer.json["recipients"]) == (202, 10_000)


def test_an_explicit_id_is_kept_and_is_used_once(site: Site, user: str) -> None:
    identity = str(uuid.uuid4())
    first = site.api.send(user, id=identity)
    assert (first.status, first.json["id"]) == (202, identity)
    again = site.api.send(user, id=identity)
    assert (again.status, again.json["id"]) == (202, identity)
    assert site.api.send(user, {**ALERT, "title": "Other"}, id=identity).status == 422
    site.send(user)
    site.arrived(user, 2)
    with site.user(user) as api:
        assert api.inbox().json["seq"] == 2


def test_an_idempotency_key_gives_the_first_answer_again(site: Site, user: str) -> None:
    key = f"order-7-{user}"
    first = site.api.send(user, key=key)
    assert "idempotency-replayed" not in first.headers
    again = site.api.send(user, key=key)
    assert (again.status, again.json) == (first.status, first.json)
    assert again.headers["idempotency-replayed"] == "true"
    other = site.api.send(user, {**ALERT, "title": "Other"}, key=key)
    assert other.status == 422
    assert other.headers["content-type"] == "application/problem+json"
    site.send(user)
    site.arrived(user, 2)
    with site.user(user) as api:
        assert len(api.inbox().json["items"]) == 2


def test_a_hundred_equal_posts_at_once_make_one_notification(site: Site, user: str) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: site.api.send(user, key=f"once-{user}"), range(100)))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    site.send(user)
    site.arrived(user, 2)
    with site.user(user) as api:
        assert api.inbox().json["seq"] == 2


def test_an_idempotency_key_has_255_characters_at_most(site: Site, user: str) -> None:
    assert site.api.send(user, key="k" * 255).status == 202
    assert site.api.send(user, key="k" * 256).status == 422
    assert site.api.send(user, key="").status == 422


def test_a_badge_is_accepted(site: Site, user: str) -> None:
    answer = site.api.badge(user, "messages", 3)
    assert answer.status == 202
    assert answer.json == {"id": answer.json["id"], "status": "accepted"}
    site.arrived(user, 1)
    with site.user(user) as api:
        inbox = api.inbox().json
    assert (inbox["badges"], inbox["unread"], inbox["items"]) == ({"messages": 3}, 0, [])


def test_an_item_of_the_inbox_has_all_its_fields(site: Site, user: str) -> None:
    identity = site.api.send(user).json["id"]
    site.arrived(user, 1)
    with site.user(user) as api:
        page = api.inbox().json
        (item,) = page["items"]
        assert set(page) == {"items", "next", "seq", "unread", "badges", "seen", "unseen"}
        assert (page["next"], page["seq"], page["unread"], page["badges"]) == (None, 1, 1, {})
        assert isinstance(item.pop("timestamp"), int)
        assert isinstance(item.pop("from"), str)
        assert item == {
            "id": identity, "seq": 1, "event": "alert", "data": ALERT, "read_at": None, "archived_at": None,
        }  # fmt: skip
        api.read([identity])
        assert isinstance(api.inbox().json["items"][0]["read_at"], int)


def test_the_inbox_pages_newest_first_by_seq(site: Site, user: str) -> None:
    sent = [site.send(user) for _ in range(7)]
    site.arrived(user, 7)
    with site.user(user) as api:
        first = api.inbox(limit=3).json
        assert [item["seq"] for item in first["items"]] == [7, 6, 5]
        site.send(user)
        site.arrived(user, 8)
        second = api.inbox(limit=3, before=first["next"]).json
        assert [item["seq"] for item in second["items"]] == [4, 3, 2]
        third = api.inbox(limit=3, before=second["next"]).json
        assert [item["id"] for item in third["items"]] == [sent[0]]
        assert third["next"] is None
        assert len(list(api.items(limit=4))) == 8


def test_a_full_last_page_says_that_it_is_the_last_or_leads_to_an_empty_one(site: Site, user: str) -> None:
    for _ in range(4):
        site.send(user)
    site.arrived(user, 4)
    with site.user(user) as api:
        assert [item["seq"] for item in api.items(limit=2)] == [4, 3, 2, 1]


def test_the_inbox_by_status(site: Site, user: str) -> None:
    new, read, archived, back = (site.send(user) for _ in range(4))
    site.arrived(user, 4)
    with site.user(user) as api:
        assert api.read([read]).json == {"seq": 5, "unread": 3}
        assert api.archive([archived, back]).json == {"seq": 6, "unread": 1}
        assert api.unread([back]).json == {"seq": 7, "unread": 2}

        def ids(status: str) -> list[str]:
            return [item["id"] for item in api.items(status)]

        assert ids("unread") == [back, new]
        assert ids("read") == [read]
        assert ids("archived") == [archived]
        assert set(ids("all")) >= {new, read, back}
        assert api.inbox().json["unread"] == 2


def test_read_through_marks_everything_up_to_it_and_a_later_mark_wins(site: Site, user: str) -> None:
    sent = [site.send(user) for _ in range(5)]
    site.arrived(user, 5)
    with site.user(user) as api:
        assert api.read(through=3).json == {"seq": 6, "unread": 2}
        assert [item["id"] for item in api.items("unread")] == [sent[4], sent[3]]
        assert all(item["read_at"] for item in api.items("read"))
        assert api.unread([sent[0]]).json == {"seq": 7, "unread": 3}
        assert [item["id"] for item in api.items("unread")] == [sent[4], sent[3], sent[0]]
        assert api.read(through=5).json == {"seq": 8, "unread": 0}
        assert [item["id"] for item in api.items("read")] == sent[::-1]


def test_a_change_that_changes_nothing_takes_no_seq(site: Site, user: str) -> None:
    identity = site.send(user)
    site.arrived(user, 1)
    with site.user(user) as api:
        api.read([identity])
        assert api.read([identity]).json == {"seq": 2, "unread": 0}
        assert api.read([str(uuid.uuid4())]).json == {"seq": 2, "unread": 0}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
def test_the_public_addresses_need_no_credentials(site: Site, path: str) -> None:
    http = Http(site.backend.base_url)
    answer = http.request("GET", path)
    http.close()
    assert answer.status == 200


def test_metrics_are_prometheus_text(site: Site) -> None:
    answer = site.api.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    samples = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert samples
    assert all(re.fullmatch(r"[a-zA-Z_:][\w:]*(\{.*\})? [-+.\deENaInf]+( \d+)?", line) for line in samples)


def test_openapi_is_valid_and_names_every_call(site: Site) -> None:
    document = site.api.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    validate(document)
    named = {(path, method) for path, methods in document["paths"].items() for method in methods}
    for path, method in {
        ("/api/notifications", "post"), ("/api/badges", "post"), ("/api/inbox", "get"),
        ("/api/inbox/read", "post"), ("/api/inbox/unread", "post"), ("/api/inbox/archive", "post"),
        ("/api/inbox/seen", "post"), ("/api/inbox/snooze", "post"), ("/api/inbox/unsnooze", "post"),
        ("/healthz", "get"), ("/readyz", "get"), ("/metrics", "get"),
    }:  # fmt: skip
        assert (path, method) in named
    assert any(path.startswith("/api/notifications/{") for path, _ in named)
