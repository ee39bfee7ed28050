"""The demo on programs that were there before: real Consul agents, which it leaves as it found them, and a real Jaeger."""

from collections.abc import Awaitable
from pathlib import Path

import pytest

from tests.integration.demo import PATIENCE_S, Demo, nothing_is_left
from tests.support import ConsulCluster, Jaeger, wait_until


def on(cluster: ConsulCluster) -> list[str]:
    return [word for agent in cluster.agents for word in ("--consul", agent.http_address)]


async def keys(cluster: ConsulCluster) -> list[str]:
    return (await cluster.cli("kv", "get", "-keys", "-separator=", "")).stdout.split()


@pytest.mark.consul
async def test_real_consul_agents_are_left_as_they_were(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    await consul.cli("kv", "put", "mesh/routes/mine", "mine.test/ -> cart")
    async with Demo(tmp_path, *on(consul)) as demo:
        assert f"configuration in Consul at {consul.http_address('node-1')}, " in demo.output
        shop, split, carts, *_ = demo.suggestions()
        assert "stock on node-3" in (await demo.paste(shop)).stdout
        assert "accepted by 3 of 3 nodes" in (await demo.paste(split)).stdout
        await demo.until_page(carts, "NEW CART")
        await demo.line("GET shop.test/ ", "edge → front@node-1 → cart@node-2 → stock@node-3")
        assert await demo.end() == 0
    # What the person put stays theirs.
    assert await keys(consul) == ["mesh/routes/beta", "mesh/routes/mine"]
    services = (await consul.cli("catalog", "services")).stdout.split()
    assert services == ["consul"]


@pytest.mark.consul
async def test_a_route_that_is_somebody_elses_is_not_taken_over(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    await consul.cli("kv", "put", "mesh/routes/shop", "shop.example/ -> real")
    demo = Demo(tmp_path, *on(consul))
    demo.program.start()
    assert await demo.program.wait(PATIENCE_S) == 1
    assert "mesh/routes/shop stands in" in demo.output
    assert "meshnode kv delete mesh/routes/shop" in demo.output
    await nothing_is_left()
    assert await keys(consul) == ["mesh/routes/shop"]


@pytest.mark.consul
async def test_one_agent_of_consul_is_one_node(consul: ConsulCluster, tmp_path: Path) -> None:
    address = consul.http_address("node-2")
    async with Demo(tmp_path, "--consul", address) as demo:
        assert "One node on this machine, configuration in Consul at" in demo.output
        assert "name --consul once for each agent" in demo.output
        assert "stock on node-2" in (await demo.paste(demo.suggestions()[0])).stdout
    twice = Demo(tmp_path, "--consul", address, "--consul", address, name="twice")
    twice.program.start()
    assert await twice.program.wait(PATIENCE_S) == 1
    assert "is the Consul agent of node-2, named twice" in twice.output


@pytest.mark.jaeger
async def test_spans_go_to_a_receiver_too(jaeger: Jaeger, tmp_path: Path) -> None:
    async with Demo(tmp_path, "--otlp", jaeger.otlp_http) as demo:
        assert f"Spans go to {jaeger.otlp_http} too." in demo.output
        await demo.paste(demo.suggestions()[0])
        line = await demo.line("GET shop.test/ ", "200")

        async def services() -> set[str]:
            traces = await jaeger.find_traces("edge")
            spans = (span for one in traces if one.trace_id.startswith(start) for span in one.spans)
            return {span.service for span in spans}

        start = line.rpartition("trace ")[2].strip()
        await wait_until(
            lambda: _has_all(services()), PATIENCE_S, what="all of the trace is in Jaeger"
        )


async def _has_all(services: Awaitable[set[str]]) -> bool:
    return {"edge", "front", "cart", "stock"} <= await services
