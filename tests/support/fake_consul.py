"""A small Consul over a real socket whose answers can be scripted: errors, lies, silence. For what a real one never does twice alike.

Speaks only what nodes ask: KV, blocking queries, the catalog's readings. It checks no rights and keeps no session.
"""

import asyncio
import base64
import json
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from tests.support.ports import free_port
from tests.support.running import Serving


@dataclass(frozen=True, slots=True)
class Scripted:
    """One answer instead of the true one. `is_cut` closes the connection in the middle of the body.

    `is_foreign` has none of Consul's headers, as an answer of something in between.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_foreign: bool = False


@dataclass(slots=True)
class Topic:
    """What a path answers, and the index it was last changed at."""

    body: bytes
    index: int


class FakeConsul(Serving):
    """`async with FakeConsul() as consul:`; `put`, `delete` and `set` change what it holds and wake who waits."""

    def __init__(self) -> None:
        self.port = free_port()
        self.index = 10
        self.keys: dict[str, dict[str, Any]] = {}
        self.requests: Counter[str] = Counter()
        """By path."""
        self.queries: list[tuple[str, dict[str, str]]] = []
        """Path and parameters of every request, in order."""
        self.delay_s = 0.0
        """How long every answer is held back."""
        self.tokens: list[str] = []
        """The token of every request that had one."""
        self.bodies: dict[str, list[bytes]] = {}
        """What was sent, by path."""
        self.most_connections = 0
        self._scripts: dict[str, deque[Scripted]] = {}
        self._topics: dict[str, Topic] = {}
        self._emptied = 1
        self._changed = asyncio.Event()
        self._responsive = asyncio.Event()
        self._responsive.set()
        self._runner: web.AppRunner | None = None
        self._set_up()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def script(self, path: str, *answers: Scripted) -> None:
        """The next answers to a path that begins so are these, one each; a blocking query still waits for its wake."""
        self._scripts.setdefault(path, deque()).extend(answers)

    def put(self, key: str, value: bytes, *, session: str | None = None) -> int:
        """The key's new ModifyIndex."""
        self.index += 1
        created = self.keys.get(key, {}).get("CreateIndex", self.index)
        entry: dict[str, Any] = {
            "LockIndex": 0,
            "Key": key,
            "Flags": 0,
            "Value": base64.b64encode(value).decode(),
            "CreateIndex": created,
            "ModifyIndex": self.index,
        }
        self.keys[key] = {**entry, "Session": session} if session else entry
        self._wake()
        return self.index

    def delete(self, prefix: str) -> None:
        self.index += 1
        for key in [key for key in self.keys if key.startswith(prefix)]:
            del self.keys[key]
        self._emptied = self.index
        self._wake()

    def set(self, path: str, document: object, *, index: int | None = None) -> None:
        """What a path of the catalog answers from now on, with a new index or the given one."""
        self.index = self.index + 1 if index is None else self.index
        body = json.dumps(document).encode()
        self._topics[path] = Topic(body, self.index if index is None else index)
        self._wake()

    def remove(self, path: str) -> None:
        """The path answers 404 from now on."""
        del self._topics[path]

    def hang(self) -> None:
        """From now on nothing is answered, as after a SIGSTOP; connections are taken."""
        self._responsive.clear()

    def resume(self) -> None:
        self._responsive.set()

    def forget_waiting(self) -> None:
        """Who waits now is never answered on the connection he waits on, as after a lost route."""
        self._forgotten = self._changed
        self._changed = asyncio.Event()

    def restore(self, *, index: int) -> None:
        """As from an old snapshot: no keys, and the index counts on from there."""
        self.keys.clear()
        self.index = self._emptied = index

    async def start(self) -> Self:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        return self

    @property
    def connections(self) -> int:
        """Open now."""
        server = self._runner.server if self._runner else None
        return len(server.connections) if server else 0

    async def stop(self) -> None:
        """As a kill: connections are closed, what it holds stays for a new start."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            for connection in list(runner.server.connections if runner.server else ()):
                if connection.transport is not None:
                    connection.transport.abort()
            await runner.cleanup()

    def _set_up(self) -> None:
        agent = {
            "Config": {"NodeName": "node-1", "Datacenter": "dc1", "Version": "1.22.0"},
            "Member": {"Addr": "127.0.0.1"},
            "DebugConfig": {"DefaultIntentionPolicy": ""},
        }
        decision = {"Authorized": True, "Reason": "Default behavior configured by ACLs"}
        documents: dict[str, Any] = {
            "/v1/status/leader": "127.0.0.1:8300",
            "/v1/catalog/services": {"consul": []},
            "/v1/catalog/node/node-1": None,
            "/v1/health/service/meshnode": [],
            "/v1/health/state/any": [],
            "/v1/config/service-intentions": [],
            "/v1/agent/self": agent,
            "/v1/agent/connect/authorize": decision,
        }
        for path, document in documents.items():
            self._topics[path] = Topic(json.dumps(document).encode(), self.index)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests[request.path] += 1
        self.queries.append((request.path, dict(request.query)))
        if token := request.headers.get("X-Consul-Token"):
            self.tokens.append(token)
        open_now = (
            len(self._runner.server.connections) if self._runner and self._runner.server else 0
        )
        self.most_connections = max(self.most_connections, open_now)
        if request.can_read_body:
            self.bodies.setdefault(request.path, []).append(await request.read())
        await asyncio.sleep(self.delay_s)
        await self._responsive.wait()
        if "index" in request.query:
            await self._wait(request)
            await self._responsive.wait()
        scripted = self._scripted(request.path)
        if scripted is not None:
            return await self._tell_scripted(request, scripted)
        if request.method == "PUT" and request.path.startswith("/v1/kv/"):
            self.put(request.path.removeprefix("/v1/kv/"), await request.read())
            return web.json_response(data=True)
        return self._true_answer(request)

    async def _wait(self, request: web.Request) -> None:
        asked = int(request.query["index"])
        wait_s = float(request.query.get("wait", "300s").removesuffix("s"))
        try:
            async with asyncio.timeout(wait_s):
                while self._read(request)[2] <= asked:
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _true_answer(self, request: web.Request) -> web.Response:
        status, body, index = self._read(request)
        return web.Response(status=status, body=body, headers=_headers(index))

    def _read(self, request: web.Request) -> tuple[int, bytes, int]:
        """Status, body and index as of now."""
        if request.path.startswith("/v1/kv/"):
            return self._read_keys(request.path.removeprefix("/v1/kv/"), "recurse" in request.query)
        topic = self._topics.get(request.path)
        if topic is None and request.path.startswith("/v1/health/service/"):
            return 200, b"[]", self.index
        return (200, topic.body, topic.index) if topic else (404, b"", self.index)

    def _read_keys(self, prefix: str, is_recursive: bool) -> tuple[int, bytes, int]:  # noqa: FBT001
        found = [
            entry
            for key, entry in sorted(self.keys.items())
            if key == prefix or (is_recursive and key.startswith(prefix))
        ]
        index = max([self._emptied, *(entry["ModifyIndex"] for entry in found)])
        return (200, json.dumps(found).encode(), index) if found else (404, b"", index)

    def _scripted(self, path: str) -> Scripted | None:
        for prefix, answers in self._scripts.items():
            if answers and path.startswith(prefix):
                return answers.popleft()
        return None

    async def _tell_scripted(self, request: web.Request, answer: Scripted) -> web.StreamResponse:
        own = {} if answer.is_foreign else _headers(self.index)
        headers = {**own, **answer.headers}
        if not answer.is_cut:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = len(answer.body) + 100
        await response.prepare(request)
        await response.write(answer.body)
        if request.transport is not None:
            request.transport.abort()
        return response


def _headers(index: int) -> dict[str, str]:
    return {
        "X-Consul-Index": str(index),
        "X-Consul-KnownLeader": "true",
        "X-Consul-LastContact": "0",
        "X-Consul-Default-ACL-Policy": "allow",
        "Content-Type": "application/json",
    }
