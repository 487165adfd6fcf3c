"""Every string without control characters is an ordinary, separate user, on both brokers."""

from __future__ import annotations

import contextlib

import pytest

from tests.harness.site import Site

STRANGE = [
    "a/b", "*", "#", "..", "user:7", "u.1", "1", "日本", ".", "/", "\\", "%2F", "a b", " ", "u", "U", "*.#",
    "user.*", "é", "e\u0301", "' OR 1=1 --", "{user}", "😀" * 128, "x" * 128, "../../etc/passwd", "null",
]  # fmt: skip


def test_strange_ids_are_separate_users(site: Site) -> None:
    """Given a live socket of each, when each is sent one alert, then each gets its own and no other."""
    with contextlib.ExitStack() as stack:
        sockets = {user: stack.enter_context(site.socket(user)) for user in STRANGE}
        sent = {user: site.send(user, f"for {user}"[:200]) for user in STRANGE}
        for user, socket in sockets.items():
            socket.expect("event", seq=1, id=sent[user], room=f"user:{user}", unread=1)
        for socket in sockets.values():
            socket.nothing_before_pong()
    for user in STRANGE:
        with site.user(user) as api:
            inbox = api.inbox().json
        assert [item["id"] for item in inbox["items"]] == [sent[user]]
        with site.open() as socket:
            frames = socket.enter(site.backend.token(user))
        assert frames[0]["user_id"] == user
        assert [frame["id"] for frame in frames[1:-1]] == [sent[user]]


@pytest.mark.parametrize("user", ["", "x" * 129, "a\x00b", "a\nb", "\x1f", "a\x7fb", "\x85"])
def test_what_is_no_user_id_is_refused(site: Site, user: str) -> None:
    assert site.api.send(user).status == 422
    assert site.api.badge(user, "tasks", 1).status == 422
    assert site.api.send_many(["ok", user]).status == 422
    with site.open() as socket:
        socket.send(op="hello", token=site.backend.token(user), after=None)
        socket.expect_close(4401)
