"""The scaled-out parts: a cluster, gateways behind nginx, and workers, each with its own order of nodes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.chaos.stack import Stack
from tests.harness import backends, processes
from tests.harness.backends import Backend
from tests.harness.nginx import PrivateNginx
from tests.harness.pages import blocks
from tests.harness.postgres import PrivatePostgres
from tests.harness.rabbitmq_cluster import RabbitCluster
from tests.harness.waiting import free_port

NODES = GATEWAYS = 3
WORKERS = 2
# As long as in production, unlike in the crash matrix, so that clients wait as long as users would.
PACE = {"NOTIFIER_HEADS_INTERVAL": "30", "NOTIFIER_SWEEP_INTERVAL": "2"}


class ClusterStack(Stack):
    """Clients and senders use nginx: `backends` has only that address."""

    def __init__(self, folder: Path, queue_type: str = "quorum") -> None:
        super().__init__("production", folder)
        self._extra |= PACE | {"NOTIFIER_TASK_QUEUE_TYPE": queue_type, "NOTIFIER_PROXY_HOPS": "1"}
        self.gateways: dict[str, Backend] = {}

    def start(self) -> None:
        """Start everything and wait until every gateway is ready, and nginx with them."""
        postgres, cluster, nginx = PrivatePostgres(), RabbitCluster(NODES), PrivateNginx()
        self.services = {"PostgreSQL": postgres, "nginx": nginx}
        self.services |= {f"node {number}": node for number, node in enumerate(cluster.nodes, 1)}
        cluster.launch()
        postgres.start()
        cluster.wait_ready()
        database = postgres.create_database("cluster")
        one = self._with_extra(backends.production(database, cluster.urls(0), self.folder / "var"))
        self.backends = [dataclasses.replace(one, port=nginx.port)]
        done = processes.run("notifier", "migrate", env=self.env)
        assert done.returncode == 0, done.stderr
        for number in range(GATEWAYS):
            gateway = one.on_port(free_port())
            self.gateways[f"web {number + 1}"] = gateway
            queues = "gateway" if number == GATEWAYS - 1 else "user"  # both kinds together
            env = {
                **gateway.env,
                "NOTIFIER_BROKER_URL": cluster.urls(number),
                "NOTIFIER_EVENT_QUEUES": queues,
            }
            self._add(f"web {number + 1}", env, "web")
        for number in range(WORKERS):
            env = {**self.env, "NOTIFIER_BROKER_URL": cluster.urls(number)}
            self._add(f"worker {number + 1}", env, "worker")
        nginx.configure(self._sites(nginx.port))
        # The first worker declares the task queue, and so at the first node: a queue that is not replicated
        # would be lost with it. Web processes declare nothing before they are sent something.
        first = self.processes["worker 1"].start()
        for name in self.gateways:
            self.processes[name].start()
        first.wait_logged("ready.")
        for name in ("worker 2",):
            self.processes[name].start()
        for name, gateway in self.gateways.items():
            self.processes[name].wait_ready(gateway.base_url, 60)
        nginx.start()

    def _sites(self, port: int) -> str:
        """Return the documented configuration, with the addresses of this stack."""
        [documented] = blocks("docs/deploy.md", "nginx", "Several gateways")
        sites = documented.replace("listen 80;", f"listen 127.0.0.1:{port};")
        for number, gateway in enumerate(self.gateways.values(), 11):
            sites = sites.replace(f"10.0.0.{number}:3000", f"127.0.0.1:{gateway.port}")
        assert "10.0.0." not in sites, sites
        return sites

    def start_again(self, part: str) -> None:
        """Start a killed part and wait until it works again."""
        super().start_again(part)
        if part in self.gateways:
            self.processes[part].wait_ready(self.gateways[part].base_url, 60)
