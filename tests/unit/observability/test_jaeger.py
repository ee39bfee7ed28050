"""Jaeger's query API, by a small server that answers as Jaeger does, or as it should not."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from observability import JaegerError, JaegerQuery, TraceIdError
from tests.support import free_port

NEW, OLD = "a" * 8 + "1" * 24, "b" * 8 + "2" * 24


def trace(trace_id: str, start: int, service: str) -> dict[str, Any]:
    """A trace of two spans, the child first, as Jaeger may send it."""

    def span(id_: str, parents: list[str], at: int) -> dict[str, Any]:
        references = [{"refType": "CHILD_OF", "traceID": trace_id, "spanID": p} for p in parents]
        return {
            "traceID": trace_id,
            "spanID": id_,
            "operationName": f"GET /{id_}",
            "references": references,
            "startTime": at,
            "duration": 5,
            "tags": [{"key": "mesh.config.index", "type": "int64", "value": 4711}],
            "processID": "p1",
        }

    processes = {"p1": {"serviceName": service, "tags": [{"key": "host.name", "value": "node-1"}]}}
    spans = [span("child", ["root"], start + 1), span("root", [], start)]
    return {"traceID": trace_id, "spans": spans, "processes": processes}


TRACES = {
    "edge": [trace(OLD, 1000, "edge")],
    "web": [trace(NEW, 2000, "web")],
    "meshnode": [trace("c" * 32, 9000, "meshnode")],
}


@contextlib.asynccontextmanager
async def jaeger(answer: Any = None) -> AsyncIterator[JaegerQuery]:
    """With `answer`, everything is answered by it."""

    async def services(_: web.Request) -> web.Response:
        return answer or web.json_response({"data": [*TRACES, "empty"]})

    async def search(request: web.Request) -> web.Response:
        return answer or web.json_response({"data": TRACES.get(request.query["service"])})

    async def by_id(request: web.Request) -> web.Response:
        wanted = request.match_info["id"]
        found = [one for traces in TRACES.values() for one in traces if one["traceID"] == wanted]
        body = {"data": found, "errors": None}
        return answer or web.json_response(body, status=200 if found else 404)

    app = web.Application()
    app.router.add_get("/api/services", services)
    app.router.add_get("/api/traces", search)
    app.router.add_get("/api/traces/{id}", by_id)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with JaegerQuery(f"http://127.0.0.1:{runner.addresses[0][1]}/") as query:
            yield query
    finally:
        await runner.cleanup()


async def test_a_trace_by_its_id() -> None:
    async with jaeger() as query:
        found = await query.trace(OLD)
        assert found is not None
        assert [one.span_id for one in found.spans] == ["root", "child"]
        assert found.spans[1].parent_id == "root"
        assert found.spans[0].attributes == {"mesh.config.index": 4711}
        assert found.spans[0].resource == {"host.name": "node-1"}
        assert (found.start_us, found.duration_us) == (1000, 6)


async def test_a_trace_by_the_beginning_of_its_id() -> None:
    async with jaeger() as query:
        for short in ("aaaaaaaa", " AAAAAAAA ", "aaaaaa"):
            found = await query.trace(short)
            assert found is not None
            assert found.trace_id == NEW


async def test_the_latest_is_the_newest_of_all_services_but_our_own() -> None:
    async with jaeger() as query:
        found = await query.latest()
        assert found is not None
        assert found.trace_id == NEW


async def test_what_is_not_there_is_none() -> None:
    async with jaeger() as query:
        assert await query.trace("f" * 32) is None
        assert await query.trace("ffffffff") is None
    async with jaeger(web.json_response({"data": None})) as query:
        assert await query.latest() is None


@pytest.mark.parametrize("wrong", ["", "last", "12345", "g" * 32, "a" * 33, "../services"])
async def test_what_is_no_id_is_said_before_asking(wrong: str) -> None:
    async with jaeger() as query:
        with pytest.raises(TraceIdError, match="is no trace id"):
            await query.trace(wrong)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda: web.Response(status=500), "answers 500"),
        (lambda: web.Response(text="<html>"), "does not answer as Jaeger"),
        (lambda: web.json_response([1]), "does not answer as Jaeger"),
        (lambda: web.json_response({"data": [{"spans": []}]}), "holds no trace"),
        (lambda: web.json_response({"data": [1]}), "holds no trace"),
    ],
)
async def test_another_answer_is_a_sentence(answer: Any, sentence: str) -> None:
    async with jaeger(answer()) as query:
        with pytest.raises(JaegerError, match=sentence):
            await query.trace(OLD)


async def test_a_jaeger_that_is_not_there_is_a_sentence() -> None:
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    async with JaegerQuery(url) as query:
        with pytest.raises(JaegerError, match=f"{url} is not reached"):
            await query.latest()
