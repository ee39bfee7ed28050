"""Receivers of spans that are gone, hang or stop: no request waits for them or fails, and what is lost is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.integration.faults import SHOP, Plan, World, build, figure, metric
from tests.support import ConsulCluster, Jaeger, KeepAliveLoad, LoadResult, free_port, wait_until

pytestmark = [pytest.mark.consul, pytest.mark.jaeger, pytest.mark.asyncio(loop_scope="module")]

GIVEN_UP_S = 40.0
"""Five tries with growing pauses, before a message is dropped."""
SLOW_S = 1.0
"""No answer of the echo service takes so long by itself, on a machine with other work either."""


@dataclass(slots=True)
class Traced:
    world: World
    jaeger: Jaeger
    hanging: asyncio.Server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """node-1 sends to a Jaeger that can be stopped, node-2 to one that takes everything and never answers, node-3 to nobody."""
    folder = tmp_path_factory.mktemp("world")
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(ConsulCluster(folder / "consul", nodes=3))
        jaeger = await stack.enter_async_context(Jaeger(folder / "jaeger"))
        hanging = await asyncio.start_server(swallow, "127.0.0.1", 0)
        stack.callback(hanging.close)
        port = hanging.sockets[0].getsockname()[1]
        plan = Plan(
            nodes=3,
            environment={
                "node-1": otlp(jaeger.otlp_http),
                "node-2": otlp(f"http://127.0.0.1:{free_port()}"),
                "node-3": otlp(f"http://127.0.0.1:{port}"),
            },
        )
        yield Traced(await build(stack, cluster, folder, plan), jaeger, hanging)


async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(65536):
            pass
    finally:
        writer.close()


def otlp(endpoint: str) -> dict[str, str]:
    """A receiver is waited for half a second, so that the tests need no minute."""
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "500",
    }


@pytest_asyncio.fixture(loop_scope="module")
async def traced(running: Traced) -> Traced:
    await running.world.is_whole()
    return running


async def test_a_hanging_receiver_holds_no_request_and_what_is_lost_is_counted(
    traced: Traced,
) -> None:
    """The services' own node has a receiver that never answers, another's is not there at all."""
    home = traced.world.home
    async with traced.world.load() as load:
        await load.at_least(200)
        offered = await metric(home, "meshnode_otlp_offered_spans_total")
        assert offered > 0
        began = time.monotonic()

        async def dropped() -> float:
            return await metric(home, "meshnode_otlp_dropped_spans_total")

        lost = await wait_until(dropped, GIVEN_UP_S, what="spans are dropped and counted")
        figure(f"{lost:.0f} spans dropped and counted {time.monotonic() - began:.1f} s on")
        assert await metric(home, "meshnode_otlp_failed_exports_total") > 0
        assert await metric(home, "meshnode_otlp_sent_spans_total") == 0
    check_pace("a receiver that hangs", load.result)


async def test_a_receiver_that_is_not_there_is_counted(traced: Traced) -> None:
    """The agent's own spans of the middle node, which no request touches, go nowhere and are counted too."""
    middle = traced.world.nodes[1]

    async def failed() -> float:
        return await metric(middle, "meshnode_otlp_failed_exports_total")

    assert await wait_until(failed, GIVEN_UP_S, what="a try failed")
    assert (await middle.admin("/ready"))[0] == 200


async def test_a_stopped_jaeger_slows_nothing_and_gets_the_next_spans(traced: Traced) -> None:
    """SIGSTOP: it takes connections and answers nothing. After SIGCONT traces arrive again."""
    edge = traced.world.edge
    async with KeepAliveLoad(f"{edge.edge}/", host=SHOP, connections=2) as calm:
        await calm.at_least(300)
    async with traced.world.load(connections=2) as load:
        traced.jaeger.process.stop()
        try:
            failed = await metric(edge, "meshnode_otlp_failed_exports_total")

            async def fails() -> bool:
                return await metric(edge, "meshnode_otlp_failed_exports_total") > failed

            await wait_until(fails, what="sending fails")
            await load.at_least(300)
        finally:
            traced.jaeger.process.cont()
        await load.at_least(20)
    check_pace("Jaeger goes", calm.result)
    check_pace("Jaeger stopped", load.result)
    trace_id = "4bf92f3577b34da6a3ce929d0e0e47aa"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    assert (await edge.request(SHOP, headers=headers))[0] == 200
    # The edge's span alone: the other node's receiver hangs.
    await traced.jaeger.wait_for_trace(trace_id, 1, 30)


async def test_a_killed_jaeger_comes_back(traced: Traced) -> None:
    edge = traced.world.edge
    async with traced.world.load() as load:
        traced.jaeger.process.kill()
        await load.at_least(200)
        await traced.jaeger.start()
        sent = await metric(edge, "meshnode_otlp_sent_spans_total")

        async def sends() -> bool:
            return await metric(edge, "meshnode_otlp_sent_spans_total") > sent

        await wait_until(sends, GIVEN_UP_S, what="spans are sent again")
    check_pace("Jaeger killed", load.result)


def check_pace(what: str, result: LoadResult) -> None:
    median, tail, slowest = result.quantile(0.5), result.quantile(0.99), max(result.latencies_s)
    figure(
        f"{what}: median {median * 1000:.2f} ms, p99 {tail * 1000:.2f} ms, slowest {slowest * 1000:.0f} ms"
    )
    assert tail < SLOW_S, what
