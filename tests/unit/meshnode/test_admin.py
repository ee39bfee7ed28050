"""The admin API over a real socket: what it answers, to whom, and what it never shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from catalog import Problem
from meshnode.admin import AdminServer
from meshnode.agent.view import View
from meshnode.errors import ProxyUnreachable, StartError
from meshnode.proxy import Listener
from tests.support import free_port

VIEW = View(
    version="0.1.0",
    node="node-1",
    datacenter="dc1",
    trust_domain="mesh.test",
    is_ready=True,
    is_complete=True,
    generation=3,
    digest="sha256:0",
    index=17,
    in_force_since=1.0,
    stale_since=None,
    stale_reason="",
    held_back=None,
    acls_deny=False,
    proxy=None,
    listeners=(Listener("edge", "waiting", "127.0.0.1:8080", None),),
    services=("shop",),
    outbound=(("shop", "127.0.0.1:15001"),),
    certificates=(("shop", 99),),
    clear=(),
    problems=(Problem("mesh/routes/x", 16, "error", "it is bad"),),
)


async def unreachable() -> bytes:
    raise ProxyUnreachable("p.sock", "refused")


async def metrics() -> str:
    return "meshnode_up 1\n"


@pytest.fixture
async def server() -> AsyncIterator[AdminServer]:
    address = f"127.0.0.1:{free_port()}"
    async with AdminServer(address, snapshot=unreachable, metrics=metrics) as running:
        running.view = VIEW
        yield running


async def get(
    server: AdminServer, path: str, *, method: str = "GET", host: str | None = None
) -> tuple[int, str, str]:
    headers = {} if host is None else {"host": host}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{server.address}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text(), answer.content_type


async def test_ready_is_said_only_when_it_is_so(server: AdminServer) -> None:
    assert (await get(server, "/ready"))[0] == 200
    server.view = replace(VIEW, is_ready=False)
    status, text, _ = await get(server, "/ready")
    assert (status, "not ready" in text) == (503, True)
    server.view = None
    assert (await get(server, "/ready"))[0] == 503
    assert (await get(server, "/live"))[0] == 200


async def test_status_problems_and_metrics(server: AdminServer) -> None:
    status, text, kind = await get(server, "/status")
    assert (status, '"outbound":{"shop":"127.0.0.1:15001"}' in text, kind) == (
        200,
        True,
        "application/json",
    )
    assert '"it is bad"' in (await get(server, "/problems"))[1]
    assert (await get(server, "/metrics"))[1:] == ("meshnode_up 1\n", "text/plain")


async def test_a_proxy_that_is_away_is_a_503(server: AdminServer) -> None:
    status, text, _ = await get(server, "/snapshot")
    assert (status, "does not answer" in text) == (503, True)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_is_changed_through_it(server: AdminServer, method: str) -> None:
    assert (await get(server, "/status", method=method))[0] == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 421), ("evil.example:80", 421), ("localhost:7000", 200), ("[::1]:7000", 200)],
)
async def test_a_name_that_is_not_ours_is_refused(
    server: AdminServer, host: str, status: int
) -> None:
    """A web page whose name was pointed at 127.0.0.1 reads nothing."""
    assert (await get(server, "/status", host=host))[0] == status


async def test_a_taken_port_is_one_sentence(server: AdminServer) -> None:
    with pytest.raises(StartError, match=r"is taken by another program.*set admin\.address"):
        async with AdminServer(server.address, snapshot=unreachable, metrics=metrics):
            pass
