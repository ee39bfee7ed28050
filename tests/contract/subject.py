"""What the contract is tried on: the registry as its real command, or a real Consul. The tests see no difference."""

import contextlib
from abc import abstractmethod
from pathlib import Path
from typing import Self

from tests.support.consul import ConsulCluster
from tests.support.consul_api import ConsulApi, HttpAnswer
from tests.support.ports import free_port
from tests.support.process import Finished, Process, run, wait_until
from tests.support.running import Running
from tests.support.tools import program_path, tool_path

NODE = "node-1"
READY_SECONDS = 60.0


class Subject(ConsulApi, Running):
    """One server with one node, `node-1`."""

    token = ""
    kind: str

    @abstractmethod
    async def cli(
        self, *arguments: str | Path, stdin: str = "", check: bool = True
    ) -> Finished: ...

    async def clear(self) -> None:
        """As after the start, but for its indexes: what a test left goes."""
        await self.api("DELETE", "/v1/kv/?recurse")
        for session in await self.api("GET", "/v1/session/list"):
            await self.api("PUT", f"/v1/session/destroy/{session['ID']}")
        await self.api("PUT", "/v1/agent/maintenance?enable=false")
        for service in await self.api("GET", "/v1/agent/services"):
            await self.deregister(service)
        for check in await self.api("GET", "/v1/agent/checks"):
            await self.api("PUT", f"/v1/agent/check/deregister/{check}")
        for entry in await self.api("GET", "/v1/config/service-intentions"):
            await self.api("DELETE", f"/v1/config/service-intentions/{entry['Name']}")
        for node in await self.api("GET", "/v1/catalog/nodes"):
            if node["Node"] != NODE:
                await self.api("PUT", "/v1/catalog/deregister", body={"Node": node["Node"]})


class EmbeddedRegistry(Subject):
    """`meshnode registry` in a process of its own."""

    kind = "registry"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self.data = folder / "registry.db"
        listen = f"127.0.0.1:{self.port}"
        command: list[str | Path] = [program_path("meshnode"), "registry", "--data", self.data]
        command += ["--listen", listen, "--node", NODE]
        self.process = Process("registry", command, folder=folder)

    def http_address(self, node: str = NODE) -> str:  # noqa: ARG002  (it has one)
        return f"127.0.0.1:{self.port}"

    async def start(self) -> Self:
        self.process.start()
        await self.process.until(self._is_ready, READY_SECONDS, what="the registry answers")
        return self

    def close(self) -> None:
        self.process.kill()

    async def cli(self, *arguments: str | Path, stdin: str = "", check: bool = True) -> Finished:
        env = {"CONSUL_HTTP_ADDR": self.http_address()}
        return await run(tool_path("consul"), *arguments, env=env, stdin=stdin, check=check)

    async def _is_ready(self) -> bool:
        return (await self.call("GET", "/v1/status/leader")).status == 200


class RealConsul(Subject):
    """A single server, the place where the truth is."""

    kind = "consul"

    def __init__(self, folder: Path) -> None:
        self.cluster = ConsulCluster(folder, nodes=1)

    def http_address(self, node: str = NODE) -> str:
        return self.cluster.http_address(node)

    async def start(self) -> Self:
        await self.cluster.start()
        # The leader keeps writing for a moment after its election: indexes are compared from when it is quiet.
        with contextlib.suppress(TimeoutError):
            await wait_until(self._has_its_services, READY_SECONDS)
        return self

    def close(self) -> None:
        self.cluster.close()

    async def cli(self, *arguments: str | Path, stdin: str = "", check: bool = True) -> Finished:
        return await self.cluster.cli(*arguments, stdin=stdin, check=check)

    async def _has_its_services(self) -> bool:
        return bool(await self.api("GET", "/v1/catalog/services"))


def index_of(answer: HttpAnswer) -> int:
    """What a blocking query's answer says its index is."""
    return int(answer.headers["X-Consul-Index"])


def head_of(answer: HttpAnswer) -> dict[str, str]:
    """The headers by their names in small letters: Go writes some otherwise than Consul's documents."""
    return {name.lower(): value for name, value in answer.headers.items()}
