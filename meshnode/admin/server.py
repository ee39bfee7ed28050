"""Serves /live, /ready, /status, /problems, /snapshot, /metrics, /traces, /explain and /plan on loopback. Shows no key, changes nothing."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Self

import orjson
from aiohttp import web

from catalog import CatalogError
from observability import SpanRing, TraceIdError

from ..agent.view import View
from ..errors import MeshnodeError, StartError, UsageError, address_sentence
from .explain import MAX_QUESTION_BYTES, Explain, ExplainAnswers
from .plan import Plan, PlanAnswers
from .traces import TraceAnswers, wait_s

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Answers are made from memory, but for the proxy's snapshot: one that takes longer hangs.
ANSWER_TIMEOUT_S = 5.0
PLAN = "/plan"
# A whole compile of 10,000 routes took 5 s on a busy machine, and asking about half as many recorded requests one more.
PLAN_TIMEOUT_S = 30.0
# An answer that is under way at the end; there is nothing in it worth waiting for.
SHUTDOWN_S = 0.5
ABOUT = """\
{node} of the mesh. What can be read here:
  http://{address}/status    the node as JSON: table, listeners, services, certificates, problems
  http://{address}/problems  its problems alone
  http://{address}/traces    the newest requests (`meshnode trace last` draws them, of all nodes)
  http://{address}/snapshot  the table in force
  http://{address}/metrics   for Prometheus
  http://{address}/ready     whether it serves, and if not, why
  http://{address}/live      whether the agent runs
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminServer:
    """`async with AdminServer(...)`: answers from the view that was set last."""

    def __init__(
        self,
        address: str,
        *,
        snapshot: Callable[[], Awaitable[bytes]],
        metrics: Callable[[], Awaitable[str]],
        ring: SpanRing,
        explain: Explain,
        plan: Plan,
    ) -> None:
        """`address` is `ip:port`; the callables may raise ProxyError."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self.address = address
        self._is_loopback = ipaddress.ip_address(self._host.strip("[]")).is_loopback
        self._snapshot = snapshot
        self._metrics = metrics
        self._explain = ExplainAnswers(explain)
        self._plan = PlanAnswers(plan)
        self._traces = TraceAnswers(ring, lambda: "" if self.view is None else self.view.node)
        self._runner: web.AppRunner | None = None
        self.view: View | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(
            middlewares=[_own_names_only, _translate] if self._is_loopback else [_translate],
            client_max_size=MAX_QUESTION_BYTES,
        )
        app.add_routes(
            [
                web.get("/", self._about),
                web.get("/live", self._live),
                web.get("/ready", self._ready),
                web.get("/status", self._status),
                web.get("/problems", self._problems),
                web.get("/snapshot", self._snapshot_answer),
                web.get("/metrics", self._metrics_answer),
                web.get("/traces", self._traces.newest),
                web.get("/traces/{id}", self._traces.by_id),
                web.post("/explain", self._explain.answer),
                web.post(PLAN, self._plan.answer),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host.strip("[]"), self._port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise StartError(
                address_sentence("the admin API", self.address, "admin.address", error)
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _about(self, _: web.Request) -> web.Response:
        """For who types the address into a browser."""
        node = "this node" if self.view is None else self.view.node
        return web.Response(text=ABOUT.format(node=node, address=self.address))

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, _: web.Request) -> web.Response:
        if self.view is not None and self.view.is_ready:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=_why_not_ready(self.view) + "\n")

    async def _status(self, _: web.Request) -> web.Response:
        return _json({} if self.view is None else self.view.to_json())

    async def _problems(self, _: web.Request) -> web.Response:
        problems = () if self.view is None else self.view.problems
        return _json([problem.to_json() for problem in problems])

    async def _snapshot_answer(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._snapshot(), content_type="application/json")

    async def _metrics_answer(self, _: web.Request) -> web.Response:
        text = await self._metrics()
        return web.Response(body=text.encode(), headers={"content-type": METRICS_TYPE})


def _why_not_ready(view: View | None) -> str:
    if view is None or view.proxy is None:
        return "not ready: the proxy is not up yet"
    if not view.generation:
        return (
            f"not ready: no table is in force yet ({view.stale_reason or 'Consul is being read'})"
        )
    waiting = [
        f"{one.name} ({one.error or one.state})" for one in view.listeners if one.state != "open"
    ]
    return f"not ready: these listeners are not open: {', '.join(waiting) or 'unknown'}"


@web.middleware
async def _own_names_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers only who asks by address: any other name would let a web page ask, by DNS rebinding."""
    if not _is_own_name(request.host):
        return _json({"error": "ask by address or as localhost"}, status=421)
    return await handler(request)


@web.middleware
async def _translate(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        limit_s = PLAN_TIMEOUT_S if request.path == PLAN else ANSWER_TIMEOUT_S
        async with asyncio.timeout(limit_s + wait_s(request)):
            return await handler(request)
    except (UsageError, TraceIdError) as error:
        return _json({"error": str(error)}, status=400)
    except web.HTTPNotFound:
        return _json({"error": "there is no such page: / lists those there are"}, status=404)
    except (MeshnodeError, CatalogError) as error:
        return _json({"error": str(error)}, status=503)
    except TimeoutError:
        return _json({"error": "the answer takes too long"}, status=503)


def _is_own_name(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
