"""The admin API over a real socket: what it answers, to whom, and what it never shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from catalog import Problem
from meshnode.admin import AdminClient, AdminServer
from meshnode.agent.view import View
from meshnode.candidate.promise import Wish
from meshnode.errors import ProxyUnreachable, StartError, UsageError
from meshnode.proxy import Listener
from observability import SpanRing
from tests.support import free_port
from tests.support.spans import ProxySpan, batch

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
    draining=(),
    clear=(),
    problems=(Problem("mesh/routes/x", 16, "error", "it is bad"),),
)


async def unreachable() -> bytes:
    raise ProxyUnreachable("p.sock", "refused")


async def metrics() -> str:
    return "meshnode_up 1\n"


async def plan(wish: Wish, asked: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"node": "node-1", "keys": sorted(wish.values), "asked": len(asked)}


async def explain(document: dict[str, Any]) -> dict[str, Any]:
    if document["requests"] == [{}]:
        raise UsageError("requests.0: needs a host")
    return {"node": "node-1", "answers": [{"answer": None} for _ in document["requests"]]}


def admin(address: str, ring: SpanRing) -> AdminServer:
    return AdminServer(
        address, snapshot=unreachable, metrics=metrics, ring=ring, explain=explain, plan=plan
    )


@pytest.fixture
def ring() -> SpanRing:
    return SpanRing(first_sequence=100)


@pytest.fixture
async def server(ring: SpanRing) -> AsyncIterator[AdminServer]:
    address = f"127.0.0.1:{free_port()}"
    async with admin(address, ring) as running:
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
        async with admin(server.address, SpanRing()):
            pass


ID = "4bf92f35" + "7" * 24
OTHER = "9a01c7e2" + "1" * 24


def one(span: int, start_ms: float = 0) -> ProxySpan:
    return ProxySpan("edge", "edge", "shop", "node-1", span, start_ms=start_ms)


async def asked(server: AdminServer, path: str) -> Any:
    status, text, kind = await get(server, path)
    assert (status, kind) == (200, "application/json"), text
    return orjson.loads(text)


async def test_the_newest_traces_and_what_comes_after_them(
    server: AdminServer, ring: SpanRing
) -> None:
    ring.offer(batch(ID, one(1)), 1)
    ring.offer(batch(OTHER, one(2, 5)), 1)
    page = await asked(server, "/traces")
    assert (page["node"], page["sequence"], page["is_gapless"]) == ("node-1", 102, True)
    assert [trace["trace_id"] for trace in page["traces"]] == [OTHER, ID]
    assert page["traces"][0]["spans"][0]["attributes"]["mesh.destination"] == "shop"
    assert len((await asked(server, "/traces?limit=1"))["traces"]) == 1
    waiting = asyncio.create_task(asked(server, "/traces?after=102&wait_ms=30000"))
    await asyncio.sleep(0)
    ring.offer(batch(ID, one(3)), 1)
    page = await waiting
    assert (page["sequence"], len(page["traces"][0]["spans"])) == (103, 1)
    assert (await asked(server, "/traces?after=103"))["traces"] == []


async def test_a_trace_by_the_start_of_its_id(server: AdminServer, ring: SpanRing) -> None:
    ring.offer(batch(ID, one(1)), 1)
    assert (await asked(server, "/traces/4bf92f35"))["traces"][0]["trace_id"] == ID
    status, text, _ = await get(server, f"/traces/{OTHER}")
    assert (status, orjson.loads(text)["traces"], "no trace" in text) == (404, [], True)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/traces/xyz", "is no trace id"),
        ("/traces?limit=0", "limit: 0 is not between 1 and 1000"),
        ("/traces?limit=-1", "is no whole number"),
        ("/traces?after=1e9", "is no whole number"),
        ("/traces?after=1&wait_ms=30001", "wait_ms: 30001 is not between 0 and 30000"),
        ("/traces?after=99999999999999999999", "is no whole number"),
    ],
)
async def test_a_question_that_can_not_be_meant_is_a_400(
    server: AdminServer, path: str, sentence: str
) -> None:
    status, text, _ = await get(server, path)
    assert (status, sentence in text) == (400, True), text


async def ask(
    server: AdminServer, body: bytes, content_type: str = "application/json"
) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers={"content-type": content_type}) as session,
        session.post(f"http://{server.address}/explain", data=body) as answer,
    ):
        return answer.status, orjson.loads(await answer.read())


async def test_a_request_is_explained(server: AdminServer) -> None:
    status, answer = await ask(server, b'{"requests":[{"host":"shop.test","path":"/"}]}')
    assert (status, answer["answers"]) == (200, [{"answer": None}])
    async with AdminClient() as nodes:
        told = await nodes.explain(server.address, {"requests": [{"host": "a"}]})
    assert told["node"] == "node-1"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "no JSON"),
        (b"[]", "the body is"),
        (b'{"requests":{}}', "the body is"),
        (b'{"requests":[1]}', "a mapping with host and path"),
        (b'{"requests":[],"snapshot":{}}', "snapshot: there is no such field"),
        (b'{"requests":[{}]}', "needs a host"),
    ],
)
async def test_what_is_no_question_is_a_sentence(
    server: AdminServer, body: bytes, sentence: str
) -> None:
    status, answer = await ask(server, body)
    assert status == 400
    assert sentence in answer["error"]


async def test_keys_are_planned(server: AdminServer) -> None:
    values = {"mesh/routes/a": "YS8gLT4gYQ==", "mesh/routes/b": None}
    async with AdminClient() as nodes:
        told = await nodes.plan(server.address, {"values": values, "requests": [{"host": "a"}]})
        assert told == {"node": "node-1", "keys": ["mesh/routes/a", "mesh/routes/b"], "asked": 1}
        for wrong, sentence in (
            ({}, "the body is"),
            ({"values": {"other": None}}, "lie under mesh/"),
            ({"values": {"mesh/routes/a": "?"}}, "no base64"),
            ({"values": {}, "requests": [1]}, "a mapping with host"),
            ({"values": {}, "keys": {}}, "no such field"),
        ):
            with pytest.raises(UsageError, match=sentence):
                await nodes.plan(server.address, wrong)


async def test_a_page_in_a_browser_can_not_ask(server: AdminServer) -> None:
    """A form or a script of another site sends text without asking first."""
    assert (await ask(server, b'{"requests":[]}', "text/plain"))[0] == 400


async def test_the_client_tells_the_refusal_apart(server: AdminServer) -> None:
    async with AdminClient() as nodes:
        with pytest.raises(UsageError, match="needs a host"):
            await nodes.explain(server.address, {"requests": [{}]})
