"""Every route and every op, with every kind of credentials. A new route or op needs an entry."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jwt
import pytest
from flask import Flask

from models.store import pages
from notifier import send
from notifier.core import frames
from notifier.core.effects import Change, Close, Effect
from notifier.core.errors import Unauthenticated
from notifier.core.log import Snapshot, Status
from notifier.core.session import Phase, Session
from notifier.tokens import Tokens
from tests.harness.tokens import HOUR, user_token, wrong_tokens
from tests.harness.world import migrate, real_time_world, settings
from web import create_app
from web.runtime import EXTENSION

SECRET = "a-secret-for-tests-only-0123456789abcdef"
KEYS = {
    "send": "s:send:key-that-sends",
    "report": "r:report:key-that-reports",
    "admin": "a:admin:key-that-administers",
    "all": "key-with-all-scopes",
}
ID = "01890a5d-ac96-774b-bcce-b302099a8057"

OPEN, USER, OPERATOR = "open", "user", "operator"
USER_OR_ADMIN = "user or admin"
#: METHOD and rule -> the scopes of which a key needs one, or another kind of caller.
ROUTES: dict[str, str | tuple[str, ...]] = {
    "POST /api/notifications": ("send",),
    "GET /api/notifications/<not_batch:id>": ("send", "report"),
    "DELETE /api/notifications/<not_batch:id>": ("send", "admin"),
    "PATCH /api/notifications/<not_batch:id>": ("send", "admin"),
    "POST /api/notifications/batch": ("send",),
    "GET /api/notifications/<id>/timeline": ("send", "report"),
    "POST /api/badges": ("send",),
    "GET /api/reports/daily": ("report",),
    "GET /api/reports/notifications": ("report",),
    "GET /api/reports/devices": ("report",),
    "GET /api/reports/users": ("report",),
    "POST /api/revocations": ("admin",),
    "GET /api/recipients": ("send", "admin"),
    "PUT /api/recipients": ("send", "admin"),
    "DELETE /api/recipients": ("admin",),
    "GET /api/recipients/export": ("admin",),
    "GET /api/preferences": USER_OR_ADMIN,
    "PATCH /api/preferences": USER_OR_ADMIN,
    "GET /api/inbox": USER,
    "POST /api/inbox/read": USER,
    "POST /api/inbox/unread": USER,
    "POST /api/inbox/archive": USER,
    "POST /api/inbox/seen": USER,
    "POST /api/inbox/snooze": USER,
    "POST /api/inbox/unsnooze": USER,
    "GET /api/push/key": USER,
    "POST /api/push/subscriptions": USER,
    "DELETE /api/push/subscriptions": USER,
    "POST /api/push/read": OPEN,  # by a token for this one entry
    "GET /unsubscribe": OPEN,
    "POST /unsubscribe": OPEN,  # by a token for this purpose
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /openapi.json": OPEN,
    "GET /client/<path:name>": OPEN,
    "GET /ws": OPEN,  # its hello carries the token: the ops below
    "GET /reports/sign-in": OPEN,
    "POST /reports/sign-in": OPEN,
    "GET /reports/assets/<name>": OPEN,
    # With a cookie (tests/integration/test_dashboard_pages.py): a bearer token does not open a page.
    "GET /reports": OPERATOR,
    "GET /reports/night": OPERATOR,
    "GET /reports/now": OPERATOR,
    "GET /reports/<name>.csv": OPERATOR,
    "GET /reports/notifications/<id>": OPERATOR,
    "GET /reports/lists/<name>": OPERATOR,
    "GET /reports/search": OPERATOR,
    "GET /reports/users": OPERATOR,
    "POST /reports/notifications/<id>/cancel": OPERATOR,
    "POST /reports/sign-out": OPERATOR,
    "POST /reports/dead/<id>/replay": OPERATOR,
    "POST /reports/dead/<id>/drop": OPERATOR,
}
CLOSED = [route for route, who in ROUTES.items() if who not in (OPEN, OPERATOR)]
REVOKED = "revoked-user"


def credentials() -> dict[str, str | None]:
    """Return the credentials of each kind of caller."""
    return {
        "nothing": None,
        "another scheme": "Basic dTE6cA==",
        "an empty bearer": "Bearer ",
        "a wrong key": "Bearer key-of-nobody",
        "a key's entry": f"Bearer {KEYS['send']}",
        "an old user": f"Bearer {user_token('u1', SECRET, ttl=-HOUR)}",
        "a revoked user": f"Bearer {user_token(REVOKED, SECRET)}",
        "a user": f"Bearer {user_token('u1', SECRET)}",
        **{f"a key for {scope}": f"Bearer {entry.rpartition(':')[2]}" for scope, entry in KEYS.items()},
        **{f"token {fault}": f"Bearer {token}" for fault, token in wrong_tokens("u1", SECRET).items()},
    }


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder: Path = tmp_path_factory.mktemp("authorisation")
    app = create_app(settings(var_dir=folder, demo=False, secret=SECRET, api_keys=",".join(KEYS.values())))
    database = app.extensions[EXTENSION].database
    migrate(database.engine)
    admin = {"Authorization": "Bearer key-that-administers"}
    answer = app.test_client().post("/api/revocations", json={"user_id": REVOKED}, headers=admin)
    assert answer.status_code == 200
    yield app
    database.dispose()
    send.use(None)


def call(app: Flask, route: str, authorization: str | None, body: Any = None) -> int:
    method, _, rule = route.partition(" ")
    path = (
        rule.replace("<id>", ID)
        .replace("<not_batch:id>", ID)
        .replace("<name>", "daily")
        .replace("<path:name>", "notifier.js")
    )
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = app.test_client().open(path, method=method, headers=headers, json=body)
    answer.close()
    return answer.status_code


def expected(who: str | tuple[str, ...], name: str) -> int | None:
    """Return the status that `name` must get from a closed route; None: it has the right."""
    key, is_key, scope = name.partition("a key for ")
    if is_key and not key:
        scopes = ("admin",) if who == USER_OR_ADMIN else who
        allowed = who != USER and (scope == "all" or scope in scopes)
        return None if allowed else 403
    if name == "a user":
        return None if who in (USER, USER_OR_ADMIN) else 403
    return 401


def test_every_route_has_an_entry(app: Flask) -> None:
    routes = {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == set(ROUTES)


@pytest.mark.parametrize("name", credentials())
@pytest.mark.parametrize("route", CLOSED)
def test_a_closed_route_accepts_only_callers_with_the_right(app: Flask, route: str, name: str) -> None:
    got, wanted = call(app, route, credentials()[name], {}), expected(ROUTES[route], name)
    if wanted is None:
        assert got in (200, 202, 404, 422), got
    else:
        assert got == wanted


@pytest.mark.parametrize("name", credentials())
@pytest.mark.parametrize("route", [route for route, who in ROUTES.items() if who == OPERATOR])
def test_a_bearer_token_does_not_open_the_dashboard(app: Flask, route: str, name: str) -> None:
    assert call(app, route, credentials()[name]) in (303, 403)


@pytest.mark.parametrize("route", [route for route, who in ROUTES.items() if who == OPEN])
def test_an_open_route_needs_no_credentials(app: Flask, route: str) -> None:
    asked = {call(app, route, given) for given in (None, "Bearer key-of-nobody")}
    assert len(asked) == 1
    assert not asked & {401} or route == "POST /reports/sign-in"


def test_head_asks_for_the_same_rights_as_get(app: Flask) -> None:
    for route in CLOSED:
        if route.startswith("GET "):
            assert call(app, route.replace("GET", "HEAD"), None) == 401


@pytest.mark.parametrize("op", ["read", "unread", "archive", "snooze", "unsnooze"])
def test_another_users_token_sees_and_changes_nothing(app: Flask, op: str) -> None:
    database = app.extensions[EXTENSION].database
    victim = f"victim-{op}"
    sent = real_time_world(database).arrive(victim, 1)
    thief = f"Bearer {user_token('thief', SECRET)}"
    with database.read() as connection:
        before = pages.page(connection, victim, Status.ALL, 10, None)
    assert before[0]
    ids = [item.id for item in before[0]]
    more = {"until": 1_000} if op == "snooze" else {}
    assert call(app, f"POST /api/inbox/{op}", thief, {"ids": ids, **more}) == 200
    answer = app.test_client().get("/api/inbox", headers={"Authorization": thief})
    assert answer.json is not None
    assert answer.json["items"] == []
    with database.read() as connection:
        assert pages.page(connection, victim, Status.ALL, 10, None) == before, sent


# ---------------------------------------------------------------------- the socket

#: op -> a valid frame.
OPS: dict[str, dict[str, Any]] = {
    "hello": {"token": "{user}", "after": None},
    "ack": {"seq": 0},
    "read": {"ids": [ID]},
    "unread": {"ids": [ID]},
    "archive": {"ids": [ID]},
    "seen": {"through": 0},
    "snooze": {"ids": [ID], "until": 0},
    "unsnooze": {"ids": [ID]},
    "auth": {"token": "{user}"},
    "ping": {},
}
NOW = 0.0  # set for each test: tokens are made for the present
EMPTY = Snapshot(0, 0, {}, window=[])


@pytest.fixture(autouse=True)
def _the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "NOW", time.time())


def tokens(revoked: dict[str, float] | None = None) -> Tokens:
    return Tokens(SECRET, revoked_at=lambda user_id: (revoked or {}).get(user_id, float("-inf")))


def frame(op: str, token: str = "") -> str:
    fields = {name: token if value == "{user}" else value for name, value in OPS[op].items()}
    return json.dumps({"op": op, **fields})


def codes(effects: list[Effect]) -> list[int]:
    return [effect.code for effect in effects if isinstance(effect, Close)]


def live(ttl: float = HOUR, verify: Tokens | None = None) -> Session:
    session = Session((verify or tokens()).verify, NOW)
    session.receive(frame("hello", user_token("u1", SECRET, ttl=ttl)), NOW)
    session.joined(EMPTY)
    assert session.phase is Phase.LIVE
    return session


def test_every_op_has_an_entry() -> None:
    ops = {get_args(kind.model_fields["op"].annotation)[0] for kind in get_args(frames.ClientFrame)}
    assert ops == set(OPS)


@pytest.mark.parametrize("op", sorted(set(OPS) - {"hello"}))
def test_before_hello_no_op_does_anything(op: str) -> None:
    session = Session(tokens().verify, NOW)
    assert codes(session.receive(frame(op, user_token("u1", SECRET)), NOW)) == [4400]
    assert session.phase is Phase.CLOSED


@pytest.mark.parametrize("op", OPS)
def test_once_the_token_has_ended_no_op_does_anything(op: str) -> None:
    session = live(ttl=60)
    effects = session.receive(frame(op, user_token("u1", SECRET)), NOW + 600)
    assert codes(effects) == [4401]
    assert not [effect for effect in effects if isinstance(effect, Change)]
    assert session.receive(frame(op), NOW + 600) == []


@pytest.mark.parametrize("op", OPS)
def test_once_the_token_is_revoked_no_op_does_anything(op: str) -> None:
    """This includes frames that arrived together with those being handled."""
    session = live()
    assert session.revoke(NOW + 1)
    assert session.deadline < NOW, "it is due at once"
    effects = session.receive(frame(op, user_token("u1", SECRET)), NOW)
    assert codes(effects) == [4401]
    assert not [effect for effect in effects if isinstance(effect, Change)]


def test_a_revocation_ends_only_tokens_that_were_issued_before() -> None:
    fresh = jwt.encode({"sub": "u1", "iat": NOW, "exp": NOW + 60}, SECRET, algorithm="HS256")
    session = Session(tokens().verify, NOW)
    assert not session.revoke(NOW), "nobody is there yet"
    session.receive(frame("hello", fresh), NOW)
    assert not session.revoke(NOW)
    assert session.tick(NOW) == []
    assert session.revoke(NOW + 1), "while it joins, too"
    assert codes(session.tick(NOW)) == [4401]


@pytest.mark.parametrize("op", ["hello", "auth"])
@pytest.mark.parametrize("fault", [*wrong_tokens("u1", SECRET), "revoked", "an API key"])
def test_an_invalid_token_ends_the_socket(op: str, fault: str) -> None:
    bad = {
        **wrong_tokens("u1", SECRET),
        "revoked": user_token(REVOKED, SECRET),
        "an API key": "key-with-all-scopes",
    }[fault]
    verify = tokens({REVOKED: NOW})
    session = Session(verify.verify, NOW) if op == "hello" else live(verify=verify)
    assert codes(session.receive(frame(op, bad), NOW)) == [4401]


def test_a_fresh_token_of_another_user_ends_the_socket() -> None:
    assert codes(live().receive(frame("auth", user_token("u2", SECRET)), NOW)) == [4401]


def test_a_fresh_token_of_the_same_user_keeps_it_open() -> None:
    session = live(ttl=60)
    assert session.receive(frame("auth", user_token("u1", SECRET)), NOW + 30) == []
    assert session.tick(NOW + 600) == []
    assert session.receive(frame("ping"), NOW + 600)


def test_a_socket_remembers_when_its_newest_token_was_issued() -> None:
    session = live()
    assert session.issued_at == 0  # this token has no iat
    fresh = jwt.encode({"sub": "u1", "iat": NOW, "exp": NOW + 60}, SECRET, algorithm="HS256")
    session.receive(frame("auth", fresh), NOW)
    assert session.issued_at == NOW


def test_a_revoked_users_fresh_token_is_valid_and_the_old_one_is_not() -> None:
    verify = tokens({"u1": NOW - 1})
    assert verify.verify(verify.mint("u1")).user_id == "u1"
    with pytest.raises(Unauthenticated, match="revoked"):
        verify.verify(user_token("u1", SECRET))
