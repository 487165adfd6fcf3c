"""Start our side: a site with a backend of its own, and the target for the load generator."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from bench.load.dialects import Ours
from bench.target import Command, Target
from tests.harness import postgres, processes
from tests.harness.backends import Backend, embedded, production
from tests.harness.processes import REPO
from tests.harness.rabbitmq import PrivateRabbit, SharedRabbit
from tests.harness.site import Site

SETTINGS = {"NOTIFIER_DEMO": "0", "NOTIFIER_LOG_LEVEL": "WARNING"}
# A queue takes two file handles: with more users a node with Debian's limit runs out of them.
MANY = 300


@contextmanager
def running(
    kind: str = "production", *, crowd: int = 0, web_alone: bool = False, check: bool = True, **settings: str
) -> Iterator[Site]:
    """Yield a site on a new backend, with everything that `notifier up` starts.

    Args:
        kind: "production" (PostgreSQL and RabbitMQ) or "embedded".
        crowd: how many users will be connected; above MANY a private RabbitMQ node is started, with as many
            file handles as this process may give it.
        web_alone: start the gateway, and nothing else.
        check: run `notifier verify` at the end.
        settings: more settings, by their full names.
    """
    with (
        TemporaryDirectory(prefix="notifier-bench-") as folder,
        _backend(kind, Path(folder), crowd) as backend,
    ):
        backend.env.update({**SETTINGS, **settings})
        site = Site(backend, Path(folder))
        try:
            if web_alone:
                done = processes.run("notifier", "migrate", env=backend.env)
                assert done.returncode == 0, done.stderr
                site.start("web").wait_ready(backend.base_url)
            else:
                site.up()
            yield site
            if check:
                verify(backend)
        finally:
            site.close()


@contextmanager
def _backend(kind: str, var: Path, crowd: int) -> Iterator[Backend]:
    if kind == "embedded":
        yield embedded(var)
        return
    with ExitStack() as stack:
        url = stack.enter_context(postgres.fresh_database(postgres.shared_url()))
        if crowd > MANY:
            broker_url = stack.enter_context(PrivateRabbit()).url
        else:
            shared = SharedRabbit()
            stack.callback(shared.close)
            broker_url = shared.fresh_url()
        yield production(url, broker_url, var)


@contextmanager
def target(name: str, kind: str, **options: object) -> Iterator[Target]:
    """Yield the target for the load generator; `options` as for `running`."""
    with running(kind, **options) as site:  # type: ignore[arg-type]
        yield target_of(name, site)


def target_of(name: str, site: Site) -> Target:
    """Return the target of a running site."""
    backend, python, cwd = site.backend, sys.executable, str(REPO)
    return Target(
        name,
        backend.port,
        Ours(backend.secret),
        headers={"Authorization": f"Bearer {backend.api_key}"},
        gateway=(site.processes[0].pid,),
        broker=_own_broker(backend),
        database_url=backend.database_url.replace("postgresql+psycopg://", "postgresql://"),
        persisted="SELECT count(*) FROM notifier_deliveries",
        sender=Command([python, "-m", "bench.send"], backend.env, cwd),
        publisher=Command([python, "-m", "bench.publish", "ours"], backend.env, cwd),
    )


def _own_broker(backend: Backend) -> int | None:
    """Return the pid of a RabbitMQ node that this process started."""
    if backend.kind == "embedded":
        return None
    below = psutil.Process().children(recursive=True)
    return next((process.pid for process in below if "beam" in process.name()), None)


def verify(backend: Backend) -> None:
    """Raise unless `notifier verify` finds every accepted notification accounted for."""
    done = processes.run("notifier", "verify", env=backend.env)
    if done.returncode != 0:
        raise AssertionError(f"notifier verify: {done.stdout}{done.stderr}")
