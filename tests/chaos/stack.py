"""The parts under test: services and processes, which can be killed, frozen and started again."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.chaos import steps
from tests.harness import backends, processes
from tests.harness.backends import Backend
from tests.harness.bad_network import BadNetwork
from tests.harness.postgres import PrivatePostgres
from tests.harness.processes import BIN, REPO, Process
from tests.harness.rabbitmq import PrivateRabbit
from tests.harness.services import PrivateService, can_mount, mount, unmount
from tests.harness.waiting import free_port, until

# Shorter than the defaults, so that a run takes seconds where production may take half a minute.
PACE = {
    "NOTIFIER_HEADS_INTERVAL": "2",
    "NOTIFIER_SWEEP_INTERVAL": "1",
    "NOTIFIER_DEMO": "0",
}
SERVICES = ("postgres", "rabbitmq")
DATA_DISK, VAR_DISK = "768m", "64m"  # of a stack with `bad_places`


class Stack:
    """Two web processes and two workers, one with a pool of two; production has private servers.

    `tree` is the checkout whose code they run; `backend` is used instead of private servers.
    With `bad_places`, `networks` lie between web 1, worker 1 and the servers, and the data have a disk of
    their own where this machine allows it.
    """

    def __init__(
        self,
        kind: str,
        folder: Path,
        sabotage: str = "",
        tree: Path = REPO,
        backend: Backend | None = None,
        *,
        bad_places: bool = False,
    ) -> None:
        self.kind = kind
        self.run = ""  # what the names of this run's users begin with
        self._bad_places = bad_places
        self.networks: dict[str, BadNetwork] = {}
        self.folder = folder
        self.tree = tree
        self._given = backend
        self.services: dict[str, PrivateService] = {}
        self.processes: dict[str, Process] = {}
        self.steps = folder / "steps"
        self.steps.mkdir(parents=True)
        self._extra = {
            **PACE,
            "NOTIFIER_EVENTS": "tests.chaos.steps",
            "PYTHONPATH": str(tree),
            steps.FOLDER: str(self.steps),
            **({steps.SABOTAGE: sabotage} if sabotage else {}),
        }
        self.backends: list[Backend] = []

    def start(self) -> None:
        """Start everything and wait until both web processes are ready."""
        first = self._given or self._first()
        self.backends = [self._with_extra(backend) for backend in (first, first.on_port(free_port()))]
        self.migrate(self.tree)
        for number, backend in enumerate(self.backends, 1):
            self._add(f"web {number}", backend.env, "web")
        self._add("worker 1", self.env, "worker")
        self._add("worker 2", self.env, "worker")
        if self.networks:
            for part in ("web 1", "worker 1"):
                self.processes[part].env |= self._through_networks()
        if self.kind == "production":
            # Celery's own command with a pool of two ("processes" is its name for prefork).
            self.processes["worker 2"].command = [
                str(BIN / "celery"), "-A", "worker.app", "worker", "--pool", "processes", "-c", "2",
                "--loglevel", "INFO", "--hostname", "pool@%h",
            ]  # fmt: skip
        if self.tree != REPO:
            self._add("beat", self.env, "beat")  # needed by earlier versions
        for process in self.processes.values():
            process.start()
        for number, backend in enumerate(self.backends, 1):
            self.processes[f"web {number}"].wait_ready(backend.base_url, 60)

    def migrate(self, tree: Path) -> None:
        """Run `notifier migrate` of a checkout."""
        env = {**self.env, "PYTHONPATH": str(tree)}
        done = processes.run("python", "-P", "-m", "cli", "migrate", env=env, cwd=tree)
        assert done.returncode == 0, done.stderr

    def _first(self) -> Backend:
        own_disk = self._bad_places and can_mount()
        if self.kind == "embedded":
            if own_disk:
                (self.folder / "var").mkdir(mode=0o700)
                mount(self.folder / "var", VAR_DISK)
            return backends.embedded(self.folder / "var")
        postgres, rabbit = PrivatePostgres(DATA_DISK if own_disk else None), PrivateRabbit()
        self.services = {"postgres": postgres, "rabbitmq": rabbit}
        for service in self.services.values():
            service.launch()
        for service in self.services.values():
            service.wait_ready()
        if self._bad_places:
            self.networks = {name: BadNetwork(service.port) for name, service in self.services.items()}
        return backends.production(postgres.create_database("chaos"), rabbit.url, self.folder / "var")

    def _through_networks(self) -> dict[str, str]:
        first = self.backends[0]
        place = {name: (self.services[name].port, network.port) for name, network in self.networks.items()}
        urls = {
            "NOTIFIER_DATABASE_URL": (first.database_url, place["postgres"]),
            "NOTIFIER_BROKER_URL": (first.broker_url, place["rabbitmq"]),
        }
        return {
            setting: url.replace(f":{straight}/", f":{through}/")
            for setting, (url, (straight, through)) in urls.items()
        }

    def _with_extra(self, backend: Backend) -> Backend:
        env: Mapping[str, str] = {**backend.env, **self._extra}
        return Backend(
            backend.kind, backend.database_url, backend.broker_url, backend.var_dir, backend.port, dict(env)
        )

    def _add(self, name: str, env: Mapping[str, str], *arguments: str) -> None:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        process = processes.of_tree(*arguments, env=env, log=log, tree=self.tree)
        process.name = name
        self.processes[name] = process

    @property
    def env(self) -> dict[str, str]:
        return self.backends[0].env

    def restart_with(self, part: str, **env: str) -> None:
        """Ask a process to stop, and start it with these variables too; wait until a web process is ready."""
        process = self.processes[part]
        usual = dict(process.env)
        process.terminate(40, signal.SIGTERM)
        process.env |= env
        process.start()
        process.env = usual
        for number, backend in enumerate(self.backends, 1):
            if part == f"web {number}":
                process.wait_ready(backend.base_url, 60)

    def kill(self, part: str) -> None:
        """Kill a service or a process with all its children (SIGKILL)."""
        if part in self.services:
            self.services[part].kill()
        else:
            self.processes[part].kill()

    def kill_pool_child(self) -> None:
        """Kill one child of the pool (SIGKILL); its parent starts another."""
        self._pool_child().kill()

    def freeze_pool_child(self) -> psutil.Process:
        """Freeze one child of the pool (SIGSTOP), and return it."""
        child = self._pool_child()
        child.suspend()
        return child

    def _pool_child(self) -> psutil.Process:
        """Return a running child; the parent may just be replacing earlier ones."""
        parent = self.processes["worker 2"]
        return until(parent.children, 15, "the pool has a child")[0]

    def freeze(self, part: str) -> None:
        """Freeze a part with all its children (SIGSTOP)."""
        (self.services.get(part) or self.processes[part]).freeze()

    def thaw(self, part: str) -> None:
        """Let a frozen part continue (SIGCONT)."""
        (self.services.get(part) or self.processes[part]).thaw()

    def restart(self, part: str) -> None:
        """Ask a process to stop, as a deployment does, and start it again."""
        self.processes[part].terminate(40, signal.SIGTERM)
        self.processes[part].start()

    def change_version(self, part: str, tree: Path) -> None:
        """Stop a process, and start it from another checkout; wait until a web process is ready."""
        process = self.processes[part]
        if process.alive:
            process.terminate(40, signal.SIGTERM)
        process.cwd, process.env["PYTHONPATH"] = tree, str(tree)
        process.start()
        for number, backend in enumerate(self.backends, 1):
            if part == f"web {number}":
                process.wait_ready(backend.base_url, 60)

    def start_again(self, part: str) -> None:
        """Start a killed part; wait for a service, not for a process."""
        if part in self.services:
            self.services[part].start()
        else:
            self.processes[part].kill()  # what it left when it died
            self.processes[part].start()

    def dead(self) -> list[str]:
        """Return the processes that should run and do not."""
        return [name for name, process in self.processes.items() if not process.alive]

    def stop(self) -> None:
        """End everything and remove the data."""
        for process in self.processes.values():
            process.kill()
        for network in self.networks.values():
            network.stop()
        for service in self.services.values():
            service.remove()
        unmount(self.folder / "var")
