"""What becomes of every kind of answer: real loops, a scripted SMTP server and a push service that decrypts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.tables import addresses, reach
from notifier.core.categories import Category, Reach, replace_categories
from notifier.outbox.types import AnyRow
from tests.harness.mails import MailServer, mail_server
from tests.harness.push_service import PushService, push_service
from tests.harness.waiting import until
from tests.harness.world import World, alert, settings
from worker.channels import smtp
from worker.reach import make_loop
from worker.reach_loop import ReachLoop
from worker.reach_measures import ReachMeasures

CATEGORIES = {"orders": Category("orders", "Orders", reach={"email": Reach(), "push": Reach()})}

#: local part -> (state, attempts, whether the recipient got it, whether the address stays on)
MAIL: dict[str, tuple[str, int, bool, bool]] = {
    "jo": ("sent", 1, True, True),
    "slow": ("sent", 1, True, True),
    "busy": ("failed", 2, False, True),
    "nobody": ("gone", 1, False, False),
    "spam": ("refused", 1, False, True),
    "bare": ("refused", 1, False, True),
    "sender": ("refused", 1, False, True),
    "hang": ("failed", 2, False, True),
    "drop": ("unknown", 1, False, True),
    "quiet": ("unknown", 1, True, True),
}
#: status -> (state, attempts, requests, whether the subscription is kept)
PUSH: dict[int | str, tuple[str, int, int, bool]] = {
    201: ("sent", 1, 1, True),
    404: ("gone", 1, 1, False),
    410: ("gone", 1, 1, False),
    429: ("waiting", 1, 1, True),
    500: ("failed", 2, 2, True),
    400: ("refused", 1, 1, True),
    413: ("refused", 1, 1, True),
    302: ("refused", 1, 1, True),
    "drop": ("unknown", 1, 1, True),
}


@pytest.fixture(autouse=True)
def _categories() -> Iterator[None]:
    replace_categories({}, CATEGORIES)
    yield
    replace_categories(CATEGORIES, {})


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def pushes() -> Iterator[PushService]:
    with push_service() as running:
        yield running


def a_loop(
    world: World, mails: MailServer, pushes: PushService, folder: Path, measures: ReachMeasures | None = None
) -> ReachLoop:
    configured = settings(
        var_dir=folder, smtp_url=f"smtp://127.0.0.1:{mails.port}", mail_from="Shop <no-reply@shop.example>",
        public_url="https://shop.example", push_hosts=pushes.host, max_attempts=2, retry_base=0.05, retry_max=0.1,
        sweep_interval=0.05, reach_concurrency=20,
    )  # fmt: skip
    return make_loop(world.database, configured, measures or ReachMeasures())


def add(world: World, user: str, channel: str, address: str, details: Any = None) -> None:
    with world.database.write() as connection:
        connection.execute(
            sa.insert(addresses).values(
                user_id=user, channel=channel, address=address, details=details, created_at=datetime.now(UTC)
            )
        )


def rows(world: World) -> dict[str, AnyRow]:
    with world.database.read() as connection:
        return {row.user_id: row for row in connection.execute(sa.select(reach))}


def kept(world: World) -> set[str]:
    with world.database.read() as connection:
        return set(connection.scalars(sa.select(addresses.c.user_id).where(addresses.c.off_at.is_(None))))


def test_every_answer_has_its_state(
    world: World, mails: MailServer, pushes: PushService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp.SmtpTransport.__init__, "__kwdefaults__",
                        smtp.SmtpTransport.__init__.__kwdefaults__ | {"timeout": 5.0})  # fmt: skip
    for local in MAIL:
        add(world, local, "email", f"{local}@example.org")
    browsers = {answer: pushes.browser(answer, "table") for answer in PUSH}
    for answer, browser in browsers.items():
        add(world, str(answer), "push", browser.endpoint, browser.keys)
    users = [*MAIL, *map(str, PUSH)]
    world.accept(*users, data=alert("Hello"), category="orders")
    world.dispatch()
    loop = a_loop(world, mails, pushes, tmp_path)
    loop.start()
    wanted = {user: row[:2] for user, row in MAIL.items()} | {
        str(user): row[:2] for user, row in PUSH.items()
    }
    try:
        until(
            lambda: {user: (row.state, row.attempts) for user, row in rows(world).items()} == wanted,
            60,
            "every row has its state",
        )
    finally:
        loop.stop()
    left = kept(world)
    for local, (_, _, got, stays) in MAIL.items():
        assert len(mails.to(f"{local}@example.org")) == got, local
        assert (local in left) == stays, local
    for answer, (_, _, requests, stays) in PUSH.items():
        assert len(pushes.to(browsers[answer])) == requests, answer
        assert (str(answer) in left) == stays, answer
    assert browsers[201].read(pushes.to(browsers[201])[0].body)["title"] == "Hello"
    assert not [one for one in pushes.requests if one.path == "/201/elsewhere"]


def test_a_401_pauses_the_channel_and_deletes_nothing(
    world: World, mails: MailServer, pushes: PushService, tmp_path: Path
) -> None:
    class Told(ReachMeasures):
        paused_now: bool = False

        def paused(self, channel: str, *, paused: bool) -> None:
            assert channel == "push"
            self.paused_now = paused

    told = Told()
    browser = pushes.browser(401, "us")
    add(world, "a", "push", browser.endpoint, browser.keys)
    add(world, "b", "email", "jo@example.org")
    world.accept("a", data=alert(), category="orders")
    world.dispatch()
    loop = a_loop(world, mails, pushes, tmp_path, told)
    loop.start()
    try:
        until(lambda: told.paused_now, 20, "the channel pauses")
        until(lambda: rows(world)["a"].state == "waiting", 20, "its row waits")
        world.accept("a", "b", data=alert(), category="orders")
        world.dispatch()
        until(lambda: mails.to("jo@example.org"), 20, "mail goes on")
    finally:
        loop.stop()
    assert len(pushes.to(browser)) == 1
    assert {row.attempts for row in rows(world).values() if row.channel == "push"} == {0}
    assert "a" in kept(world)


def test_a_server_that_hangs_leaves_other_channels_alone(
    world: World, mails: MailServer, pushes: PushService, tmp_path: Path
) -> None:
    for number in range(25):
        add(world, f"m{number}", "email", f"hang-{number}@example.org")
    browser = pushes.browser(201, "free")
    add(world, "p", "push", browser.endpoint, browser.keys)
    world.accept(*(f"m{number}" for number in range(25)), data=alert(), category="orders")
    world.dispatch()
    loop = a_loop(world, mails, pushes, tmp_path)
    loop.start()
    try:
        until(lambda: [row.state for row in rows(world).values()].count("sending") == 20, 20, "mail hangs")
        world.accept("p", data=alert(), category="orders")
        world.dispatch()
        loop.wake()
        until(lambda: pushes.to(browser), 20, "push goes on")
        assert [row.state for row in rows(world).values()].count(
            "waiting"
        ) == 5  # no thread was free for them
        mails.release()
    finally:
        loop.stop()


def test_what_is_stopped_in_the_middle_is_kept_when_it_has_ended(
    world: World, mails: MailServer, pushes: PushService, tmp_path: Path
) -> None:
    add(world, "a", "email", "slow@example.org")
    world.accept("a", data=alert(), category="orders")
    world.dispatch()
    loop = a_loop(world, mails, pushes, tmp_path)
    loop.start()
    until(lambda: rows(world)["a"].state == "sending", 20, "it is on its way")
    loop.stop()
    assert rows(world)["a"].state == "sent"
