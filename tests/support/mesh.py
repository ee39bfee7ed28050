"""Real nodes of the mesh on this machine: each an agent and its proxy, beside its Consul agent, on free ports.

Nodes are run by the installed commands alone, as an admin runs them; nothing of meshnode is imported here.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.support.consul import ConsulAgent, ConsulCluster
from tests.support.leftovers import kill_descendants
from tests.support.ports import free_port, free_range
from tests.support.process import Finished, Process, run, wait_until

COMMANDS = Path(sys.executable).parent
READY_SECONDS = 60.0
CALL_SECONDS = 60.0
# For the services of a node that name no port of their own for their calls.
OUTBOUND_PORTS = 20


class MeshNode:
    """`async with MeshNode(cluster, "node-1", tmp_path) as node:` one agent and its proxy, ready to serve.

    `settings` are further settings by their environment names without MESHNODE_ (`LOG_LEVEL`), `environment` any
    others by their whole names. State lies in `folder`, so that an agent started again finds what the last one left.
    """

    def __init__(
        self,
        cluster: ConsulCluster,
        name: str,
        folder: Path,
        *,
        token: str | None = None,
        is_edge: bool = False,
        otlp_http: str = "",
        jaeger_url: str = "",
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.cluster = cluster
        self.token = cluster.token if token is None else token
        self.address = cluster[name].address
        self.edge_port = free_port(self.address) if is_edge else 0
        self.tls_port = free_port(self.address) if is_edge else 0
        self.mesh_port = free_port(self.address)
        self.admin_port = free_port(self.address)
        outbound = free_range(self.address, OUTBOUND_PORTS)
        self.state_folder = folder / f"state-{name}"
        self.environment = {
            "CONSUL_HTTP_ADDR": cluster.http_address(name),
            "MESHNODE_EDGE_ADDRESS": f"{self.address}:{self.edge_port}" if is_edge else "off",
            "MESHNODE_EDGE_TLS_ADDRESS": f"{self.address}:{self.tls_port}" if is_edge else "off",
            "MESHNODE_MESH_ADDRESS": f"{self.address}:{self.mesh_port}",
            "MESHNODE_ADMIN_ADDRESS": f"{self.address}:{self.admin_port}",
            "MESHNODE_OUTBOUND_HOST": self.address,
            "MESHNODE_OUTBOUND_PORTS": f"{outbound.start}-{outbound.stop - 1}",
            "MESHNODE_STATE_FOLDER": str(self.state_folder),
            "MESHNODE_PROXY_THREADS": "1",
            "OTEL_TRACES_EXPORTER": "otlp" if otlp_http else "none",
            **({"CONSUL_HTTP_TOKEN": self.token} if self.token else {}),
            **({"OTEL_EXPORTER_OTLP_ENDPOINT": otlp_http} if otlp_http else {}),
            **({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"} if otlp_http else {}),
            **({"MESHNODE_JAEGER_URL": jaeger_url} if jaeger_url else {}),
            **{f"MESHNODE_{key}": value for key, value in (settings or {}).items()},
            **(environment or {}),
        }
        command = [str(COMMANDS / "meshnode"), "agent"]
        self.agent = Process(f"agent-{name}", command, folder=folder, env=self.environment)

    @property
    def consul(self) -> ConsulAgent:
        return self.cluster[self.name]

    @property
    def edge(self) -> str:
        """The edge's URL."""
        return f"http://{self.address}:{self.edge_port}"

    @property
    def control_socket(self) -> Path:
        return self.state_folder / "run" / "proxy.sock"

    async def start(self, *, until_ready: bool = True) -> Self:
        """Starts the agent (which starts or adopts its proxy); returns when /ready says so."""
        self.agent.start()
        if until_ready:
            await self.agent.until(self.is_ready, READY_SECONDS, what=f"{self.name} is ready")
        return self

    async def stop(self) -> None:
        """Ends the agent and the proxy, as `meshnode stop` does."""
        await self.cli("stop", check=False)
        self.close()

    def close(self) -> None:
        """Kills whatever of this node still lives."""
        self.agent.kill()
        kill_descendants(str(self.state_folder))

    async def is_ready(self) -> bool:
        status, _ = await self.admin("/ready")
        return status == 200

    async def admin(self, path: str) -> tuple[int, str]:
        """Status and text of the admin API; (0, "") while it does not answer."""
        limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(f"http://{self.address}:{self.admin_port}{path}") as response,
            ):
                return response.status, await response.text()
        except aiohttp.ClientConnectionError:
            return 0, ""

    async def proxy(self, path: str) -> Any:
        """A GET of the proxy's control API."""
        connector = aiohttp.UnixConnector(str(self.control_socket))
        limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=limit) as session,
            session.get(f"http://proxy{path}") as response,
        ):
            return json.loads(await response.text())

    async def proxy_pid(self) -> int:
        version = await self.proxy("/v1/version")
        return int(version["pid"])

    async def cli(self, *arguments: str, check: bool = True) -> Finished:
        """Runs `meshnode` as an admin of this node does."""
        return await run(COMMANDS / "meshnode", *arguments, env=self.environment, check=check)

    async def request(
        self, host: str, path: str = "/", *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        """One GET through the edge: status, headers, body."""
        return await get(f"{self.edge}{path}", host=host, headers=headers)

    async def serves(self, host: str, path: str = "/", *, status: int = 200) -> None:
        """Returns once the edge answers so."""

        async def is_so() -> bool:
            return (await self.request(host, path))[0] == status

        await wait_until(is_so, READY_SECONDS, what=f"{host}{path} answers {status}")

    async def outbound(self, service: str) -> str:
        """Where this node's `service` sends its calls: address and port, once the listener is open."""

        async def address() -> str | None:
            listeners = (await self.proxy("/v1/snapshot"))["listeners"]
            listener = listeners.get(service, {})
            return listener["address"] if listener.get("state") == "open" else None

        return await wait_until(address, READY_SECONDS, what=f"the outbound port of {service}")

    def signal_agent(self, number: signal.Signals) -> None:
        self.agent.signal(number)

    async def __aenter__(self) -> Self:
        try:
            return await self.start()
        except BaseException:
            self.close()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.shield(self.stop())


async def get(
    url: str, *, host: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Mapping[str, str], str]:
    """One GET on a connection of its own: status, headers, body; (0, {}, why) without an answer."""
    limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
    sent = {**(headers or {}), **({"host": host} if host else {})}
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(url, headers=sent, allow_redirects=False) as response,
        ):
            return response.status, dict(response.headers), await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return 0, {}, str(error)
