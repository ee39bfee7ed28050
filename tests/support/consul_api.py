"""Consul's HTTP API as the tests call it: one connection a call, nothing cached, nothing repeated."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

# A busy machine is slow, and no test is timed.
CALL_SECONDS = 60.0


class ConsulError(Exception):
    """Consul answered with an error; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of Consul's HTTP API as it came."""

    status: int
    headers: Mapping[str, str]
    text: str


class ConsulApi(ABC):
    """Calls to the agent of a node; with all rights unless a token is named (an empty one is anonymous)."""

    token: str
    """The management token, empty without ACLs."""

    @abstractmethod
    def http_address(self, node: str = "node-1") -> str:
        """Address and port of the node's agent."""

    async def api(
        self,
        method: str,
        path: str,
        *,
        node: str = "node-1",
        token: str | None = None,
        body: object = None,
        timeout: float = CALL_SECONDS,
    ) -> Any:
        """One HTTP call, `path` with its leading /v1; bytes and str go as they are, else as JSON. 404 is None."""
        answer = await self.call(method, path, node=node, token=token, body=body, timeout=timeout)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise ConsulError(answer.status, answer.text)
        return json.loads(answer.text) if answer.text.strip() else None

    async def call(
        self,
        method: str,
        path: str,
        *,
        node: str = "node-1",
        token: str | None = None,
        body: object = None,
        timeout: float = CALL_SECONDS,
    ) -> HttpAnswer:
        """Like `api`, with status and headers, and no answer an error."""
        secret = self.token if token is None else token
        # As a node asks: what Consul compresses takes it longer.
        headers = {"Accept-Encoding": "identity"}
        if secret:
            headers["X-Consul-Token"] = secret
        data = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        limit = aiohttp.ClientTimeout(total=timeout)
        async with (
            aiohttp.ClientSession(timeout=limit, headers=headers) as session,
            session.request(
                method, f"http://{self.http_address(node)}{path}", data=data
            ) as response,
        ):
            return HttpAnswer(response.status, dict(response.headers), await response.text())

    async def put(self, key: str, value: str | bytes, *, token: str | None = None) -> None:
        """Puts a key by the API; `cli("kv", "put", …)` is the admin's way."""
        await self.api("PUT", f"/v1/kv/{key}", token=token, body=value)

    async def delete(self, key: str, *, recurse: bool = False) -> None:
        await self.api("DELETE", f"/v1/kv/{key}{'?recurse=true' if recurse else ''}")

    async def register(
        self, service: Mapping[str, Any], *, node: str = "node-1", token: str | None = None
    ) -> None:
        """Registers with the node's agent: the API's form (`Name`, `Port`, `Check` …)."""
        await self.api(
            "PUT", "/v1/agent/service/register", node=node, token=token, body=dict(service)
        )

    async def deregister(
        self, service_id: str, *, node: str = "node-1", token: str | None = None
    ) -> None:
        await self.api("PUT", f"/v1/agent/service/deregister/{service_id}", node=node, token=token)

    async def create_token(self, name: str, rules: str) -> str:
        """A token with one policy called `name` of this text; its secret."""
        await self.api("PUT", "/v1/acl/policy", body={"Name": name, "Rules": rules})
        made = await self.api(
            "PUT", "/v1/acl/token", body={"Description": name, "Policies": [{"Name": name}]}
        )
        return str(made["SecretID"])
