"""A RabbitMQ cluster on one machine: nodes that find each other by configuration, as in production."""

from __future__ import annotations

import secrets

from tests.harness.rabbitmq import PLACES, NameDaemon, PrivateRabbit
from tests.harness.services import find_binary, missing

RUNNING = "length(rabbit_mnesia:cluster_nodes(running))."


class RabbitCluster:
    """Joined private nodes. A killed node joins the cluster again when it is started."""

    def __init__(self, size: int = 3) -> None:
        tool = find_binary("rabbitmqctl", *PLACES)
        if tool is None:
            raise missing("RabbitMQ's rabbitmqctl is not installed")
        self._tool = str(tool)
        names, cookie = NameDaemon(), secrets.token_hex(16)
        self.nodes = [PrivateRabbit(names, cookie) for _ in range(size)]
        members = [
            f"cluster_formation.classic_config.nodes.{number} = {node.node}"
            for number, node in enumerate(self.nodes, 1)
        ]
        for node in self.nodes:
            node.configure(
                "cluster_formation.peer_discovery_backend = classic_config",
                *members,
                "cluster_partition_handling = pause_minority",
            )

    def launch(self) -> None:
        """Start every node without waiting."""
        for node in self.nodes:
            node.launch()

    def wait_ready(self) -> None:
        """Wait until all nodes answer as one cluster."""
        for node in self.nodes:
            node.wait_ready()
        first = self.nodes[0]
        running = first.run_tool(self._tool, "-q", "eval", RUNNING).strip()
        assert running == str(len(self.nodes)), f"{running} nodes in the cluster:\n{first.tail()}"

    def urls(self, first: int) -> str:
        """Return all nodes' URLs as a failover list that begins with node `first` (from 0)."""
        nodes = self.nodes[first:] + self.nodes[:first]
        return ";".join(node.url for node in nodes)
