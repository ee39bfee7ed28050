"""docker-compose.yml, run as it stands: one request through three machines, seen by Jaeger and Prometheus."""

import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.compose import ROOT, Compose
from tests.support.process import run, wait_until

pytestmark = [pytest.mark.consul, pytest.mark.jaeger]

STACK = ROOT / "observability" / "stack"
WAIT_SECONDS = 60.0
SHOP = ("--header", "Host: shop.test", "http://machine-1:8080/")


async def test_the_stack_serves_traces_and_counts(tmp_path: Path) -> None:
    async with Compose(tmp_path) as stack:
        await _answers(stack, "12 lamps, 3 chairs in stock")
        await _is_traced(stack)
        await _is_counted(stack)
        await _published_ports_listen(stack)
        await _intentions_hold(stack)
        await _a_put_is_judged_by_all(stack)


async def _answers(stack: Compose, text: str) -> None:
    async def is_there() -> bool:
        return text in await stack.curl("machine-1", *SHOP)

    await wait_until(is_there, WAIT_SECONDS, what=f"the edge answers {text!r}")


async def _is_traced(stack: Compose) -> None:
    """The trace of one request has spans of all three nodes, in Jaeger and in `meshnode trace`."""
    trace = secrets.token_hex(16)
    await stack.curl(
        "machine-1", "--header", f"traceparent: 00-{trace}-{secrets.token_hex(8)}-01", *SHOP
    )

    async def nodes() -> set[str] | None:
        answer = await stack.curl("jaeger", f"http://127.0.0.1:16686/api/traces/{trace}")
        data = json.loads(answer)["data"]
        if not data:
            return None
        tags = (tag for one in data[0]["processes"].values() for tag in one["tags"])
        found = {tag["value"] for tag in tags if tag["key"] == "host.name"}
        return found if len(found) == 3 else None

    assert await wait_until(nodes, WAIT_SECONDS, what="Jaeger has the whole trace") == {"node-1", "node-2", "node-3"}  # fmt: skip
    shown = (await stack.execute("node-1", "meshnode", "trace", trace)).stdout
    assert all(service in shown for service in ("front", "cart", "stock")), shown


async def _is_counted(stack: Compose) -> None:
    """Prometheus reaches all targets and has our requests; no rule of ours fails."""

    async def are_up() -> bool:
        active = (await _prometheus(stack, "targets"))["activeTargets"]
        return bool(active) and all(one["health"] == "up" for one in active)

    await wait_until(are_up, WAIT_SECONDS, what="Prometheus reaches every node")

    async def counted() -> bool:
        query = 'meshnode_requests_total{destination="stock",status="200"}'
        return bool((await _prometheus(stack, "query", query=query))["result"])

    await wait_until(counted, WAIT_SECONDS, what="Prometheus has the requests to stock")
    groups = (await _prometheus(stack, "rules"))["groups"]
    assert [one for one in groups[0]["rules"] if one["health"] == "err"] == []


async def _published_ports_listen(stack: Compose) -> None:
    """Docker reaches a container by its own address: what listens on its loopback alone is not published."""
    for one in stack.containers.values():
        for _, port in one.published:
            words = ["bash", "-c", f"exec 3<>/dev/tcp/{one.machine}/{port}"]
            await run(*stack.machines.within("prometheus", words))


async def _intentions_hold(stack: Compose) -> None:
    """Callers are proven by their users, so an intention names them rightly."""
    await stack.execute("machine-1", "consul", "intention", "create", "-deny", "cart", "stock")
    await _answers(stack, "intention cart => stock (deny)")
    await stack.execute("machine-1", "consul", "intention", "delete", "cart", "stock")
    await _answers(stack, "12 lamps, 3 chairs in stock")


async def _a_put_is_judged_by_all(stack: Compose) -> None:
    value = "shop.test/cart -> cart 50%, cart-next 50%"
    await stack.execute("machine-1", "consul", "kv", "put", "mesh/routes/beta", value)

    async def is_accepted() -> bool:
        shown = await stack.execute("node-2", "meshnode", "status", "mesh/routes/beta", check=False)
        return "accepted by 3 of 3 nodes" in shown.stdout

    await wait_until(is_accepted, WAIT_SECONDS, what="all nodes accept the route")


async def _prometheus(stack: Compose, call: str, **query: str) -> Any:
    url = f"http://127.0.0.1:9090/api/v1/{call}?{urlencode(query)}"
    return json.loads(await stack.curl("prometheus", url))["data"]


def test_the_file_is_what_compose_takes() -> None:
    """Only where a Compose is: Docker's own reading of the file."""
    asked = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False) if shutil.which("docker") else None  # fmt: skip
    if asked is None or asked.returncode != 0:
        pytest.skip("no docker compose on this machine; the file is run by the test above")
    subprocess.run(["docker", "compose", "config", "--quiet"], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules.yml"),
        ("test", "rules", "rules_test.yml"),
    ],
    ids=" ".join,
)
async def test_promtool_takes_the_files(command: tuple[str, ...]) -> None:
    await run("promtool", *command, cwd=STACK)
