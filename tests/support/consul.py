"""Real Consul agents on this machine: one server and clients, each on its own loopback address, with or without ACLs.

Real data folders, so that a killed server comes back with what it held. Started only to be tested against: nothing
here knows what meshnode does with Consul.
"""

import asyncio
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from tests.support.consul_api import ConsulApi
from tests.support.consul_settings import (
    CLOSED_PORTS,
    DATACENTER,
    Policy,
    acl_settings,
    client_settings,
    common_settings,
    server_settings,
)
from tests.support.ports import free_port
from tests.support.process import Finished, Process, run
from tests.support.running import Running
from tests.support.tools import tool_path

# A single server elects itself two heartbeats after its start; a loaded machine takes more.
READY_SECONDS = 60.0


@dataclass(slots=True)
class ConsulAgent:
    """One agent: `name` is its Consul node, `address` its bind and client address."""

    name: str
    address: str
    http_port: int
    process: Process
    agent_token: str = field(repr=False)

    @property
    def http_address(self) -> str:
        """As CONSUL_HTTP_ADDR wants it: address and port."""
        return f"{self.address}:{self.http_port}"

    @property
    def log_path(self) -> Path:
        return self.process.log_path

    def kill(self) -> None:
        """SIGKILL; data and ports stay for a restart."""
        self.process.kill()

    def stop(self) -> None:
        """SIGSTOP: it takes connections and answers nothing."""
        self.process.stop()

    def cont(self) -> None:
        self.process.cont()


class ConsulCluster(ConsulApi, Running):
    """`async with ConsulCluster(tmp_path, nodes=3, acl=True) as cluster:` node-1 is the server, the others are clients.

    With `acl` the default policy is deny (unless `default_policy` says otherwise), `cluster.token` may do everything,
    and every agent has a token with its own node identity and no more. `settings` is merged into each agent's
    configuration, `default_intention_policy` is Consul's own setting of that name.
    """

    def __init__(
        self,
        folder: Path,
        *,
        nodes: int = 3,
        acl: bool = False,
        default_policy: Policy = "deny",
        default_intention_policy: Policy | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.token = str(uuid.uuid4()) if acl else ""
        self._default_policy = default_policy
        self._default_intention_policy = default_intention_policy
        self._settings = dict(settings or {})
        self._rpc_port, self._join_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        self.agents = tuple(self._make_agent(number) for number in range(1, nodes + 1))

    @property
    def server(self) -> ConsulAgent:
        return self.agents[0]

    def __getitem__(self, node: str) -> ConsulAgent:
        return next(agent for agent in self.agents if agent.name == node)

    def http_address(self, node: str = "node-1") -> str:
        """As CONSUL_HTTP_ADDR wants it: address and port."""
        return self[node].http_address

    async def start(self) -> Self:
        self.server.process.start()
        await self._wait_for_leader(self.server)
        if self.token:
            await self._give_agent_tokens()
        for agent in self.agents[1:]:
            agent.process.start()
        await self.wait_ready()
        return self

    async def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Every agent sees a leader, and the catalog has all nodes, alive and synchronised."""
        async with asyncio.TaskGroup() as group:
            for agent in self.agents:
                group.create_task(self._wait_for_leader(agent, timeout))
        await self.server.process.until(
            self._all_nodes_alive, timeout, what="all nodes are in the catalog"
        )

    async def restart(self, node: str = "node-1", timeout: float = READY_SECONDS) -> None:
        """Starts a killed agent with the same data and ports; returns when it sees a leader again."""
        agent = self[node]
        agent.kill()
        agent.process.start()
        await self._wait_for_leader(agent, timeout)

    def close(self) -> None:
        """Kills all of them; logs and data stay in `folder`."""
        for agent in self.agents:
            agent.process.kill()

    async def cli(
        self,
        *arguments: str | Path,
        node: str = "node-1",
        token: str | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> Finished:
        """Runs the real `consul` against the node's agent; with ACLs as `token`, else with all rights."""
        return await run(
            tool_path("consul"),
            *arguments,
            env=self.environment(node, token),
            stdin=stdin,
            check=check,
        )

    def environment(self, node: str = "node-1", token: str | None = None) -> dict[str, str]:
        """What a `consul` command of the user's needs to reach the node's agent."""
        secret = self.token if token is None else token
        environment = {"CONSUL_HTTP_ADDR": self[node].http_address}
        return {**environment, "CONSUL_HTTP_TOKEN": secret} if secret else environment

    def _make_agent(self, number: int) -> ConsulAgent:
        name, address = f"node-{number}", f"127.0.0.{number}"
        folder = self.folder / name
        (folder / "data").mkdir(parents=True)
        http_port, agent_token = free_port(address), str(uuid.uuid4())
        serf_port = free_port(address) if number > 1 else self._join_port
        ports = {"http": http_port, "serf_lan": serf_port}
        configuration = {
            **common_settings(name, address, folder / "data"),
            **(
                server_settings()
                if number == 1
                else client_settings(f"127.0.0.1:{self._join_port}")
            ),
            "ports": {
                **CLOSED_PORTS,
                **ports,
                **({"server": self._rpc_port} if number == 1 else {}),
            },
            **self._policy_settings(agent_token if number > 1 else None),
            **self._settings,
        }
        (folder / "consul.json").write_text(json.dumps(configuration, indent=2))
        command = [str(tool_path("consul")), "agent", "-config-file", f"{folder}/consul.json"]
        process = Process(f"consul-{name}", command, folder=folder)
        return ConsulAgent(name, address, http_port, process, agent_token)

    def _policy_settings(self, agent_token: str | None) -> dict[str, Any]:
        default = self._default_intention_policy
        intentions = {"default_intention_policy": default} if default else {}
        if not self.token:
            return intentions
        return {**intentions, **acl_settings(self.token, agent_token, self._default_policy)}

    async def _give_agent_tokens(self) -> None:
        """Each agent may write its own node and read the services of all, as Consul's node identity says."""
        for agent in self.agents:
            identity = {"NodeName": agent.name, "Datacenter": DATACENTER}
            body = {
                "SecretID": agent.agent_token,
                "Description": agent.name,
                "NodeIdentities": [identity],
            }
            await self.api("PUT", "/v1/acl/token", body=body)
        # The clients have theirs in their configuration; the server ran before it existed.
        await self.api("PUT", "/v1/agent/token/agent", body={"Token": self.server.agent_token})

    async def _wait_for_leader(self, agent: ConsulAgent, timeout: float = READY_SECONDS) -> None:
        async def leader() -> bool:
            answer = await self.call("GET", "/v1/status/leader", node=agent.name)
            return answer.status == 200 and answer.text.strip() not in ("", '""')

        await agent.process.until(leader, timeout, what=f"{agent.name} sees a leader")
        if self.token:
            # The leader makes the management token a moment after its election.
            allowed = partial(self._is_allowed, agent.name)
            await agent.process.until(
                allowed, timeout, what=f"{agent.name} takes the management token"
            )

    async def _is_allowed(self, node: str) -> bool:
        return (await self.call("GET", "/v1/acl/token/self", node=node)).status == 200

    async def _all_nodes_alive(self) -> bool:
        nodes = await self.api("GET", "/v1/catalog/nodes")
        # An agent's own synchronisation brings the meta; before it the server only knows of the node by gossip.
        known = {node["Node"] for node in nodes if node["Meta"]}
        alive = {check["Node"] for check in await self.api("GET", "/v1/health/state/passing")}
        return {agent.name for agent in self.agents} <= known & alive
