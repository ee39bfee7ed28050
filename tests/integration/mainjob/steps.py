"""The steps of the main job, each with what it shows."""

import re
from itertools import pairwise

from tests.integration.mainjob.told import hold, show, step
from tests.integration.mainjob.world import HOST, PATIENCE_S, SECRET, World
from tests.support import Answer, Called, Capture, run, wait_until

OTHER_UID = 4712


async def route(world: World) -> None:
    step(3, "one key makes a route")
    await world.consul("kv", "put", "mesh/routes/shop", f"{HOST}/ -> shop")
    await world.edge.serves(HOST)
    text = await world.curl()
    answer = Answer.parse(text.split("\n\n", 1)[1])
    hold(
        text.startswith("HTTP/1.1 200"),
        f"the edge answers 200; {answer.instance} saw Host {answer.header('host')}",
    )
    called = answer.called
    hold(
        called is not None and called.status == 200 and SECRET in called.text,
        f"shop called http://stock.mesh/ on its own port and got nginx's page ({len(SECRET)} bytes)",
    )
    verdict = await wait_until(lambda: accepted(world), PATIENCE_S, what="every node accepts it")
    for line in verdict.splitlines():
        show(line)


async def accepted(world: World) -> str | None:
    """What `meshnode status` says of the route, once every node serves it."""
    told = await world.edge.cli("status", "mesh/routes/shop", check=False)
    return told.stdout.rstrip() if "accepted by 3 of 3 nodes" in told.stdout else None


async def wire(world: World) -> None:
    step(4, "between the nodes nothing is in clear")
    mesh, plain = world.nodes[2].mesh_port, world.stock.port
    async with (
        Capture(world.folder, f"tcp port {mesh}", name="mesh") as encrypted,
        Capture(world.folder, f"tcp port {plain}", name="plain") as clear,
    ):
        for _ in range(5):
            await world.curl()
        on_mesh, in_clear = await encrypted.payload(), await clear.payload()
    page = SECRET.encode()
    hold(
        page in in_clear,
        f"port {plain} (node-3 to nginx, loopback): the page can be read, so the capture works",
    )
    hold(
        len(on_mesh) > 1000 and page not in on_mesh and b"HTTP/1.1" not in on_mesh,
        f"port {mesh} (node-2 to node-3): {len(on_mesh)} bytes captured, neither the page nor a line of HTTP among them",
    )


async def callers(world: World) -> None:
    step(5, "another user's process on the caller's port is refused")
    outbound = await world.nodes[1].outbound("shop")
    command = ["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups"]
    command += ["curl", "-sS", "-i", "-m", "10", "-H", "Host: stock.mesh", f"http://{outbound}/"]
    show(f"$ {' '.join(command)}")
    text = (await run(*command)).stdout.replace("\r\n", "\n")
    reason = re.search("mesh-reason: (.*)", text)
    hold(
        text.startswith("HTTP/1.1 403") and reason is not None and reason[1] == "caller_unproven",
        text.splitlines()[-1],
    )


async def intentions(world: World) -> None:
    step(6, "an intention refuses and allows")
    # With default deny the intention stands already, and allows.
    replace = ["-replace"] if world.cluster.token else []
    await world.consul("intention", "create", *replace, "-deny", "shop", "stock")
    denied = await called_status(world, 403)
    hold(
        "shop => stock" in denied.text and denied.header("mesh-reason") == "intention_denied",
        denied.text.strip(),
    )
    await world.consul("intention", "create", "-replace", "-allow", "shop", "stock")
    allowed = await called_status(world, 200)
    hold(SECRET in allowed.text, "and back: shop reads the page again")


async def called_status(world: World, status: int) -> Called:
    """What shop's own call got, once it is this status."""

    async def is_so() -> Called | None:
        _, _, text = await world.edge.request(HOST)
        called = Answer.parse(text).called
        return called if called is not None and called.status == status else None

    return await wait_until(is_so, PATIENCE_S, what=f"stock answers shop with {status}")


async def trace(world: World) -> None:
    step(7, "the request is one trace in Jaeger")
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    await world.curl("-H", f"traceparent: 00-{trace_id}-{parent}-01")
    found = await world.jaeger.wait_for_trace(trace_id, 4)
    printed = await world.edge.cli("trace", trace_id)
    for line in printed.stdout.rstrip().splitlines():
        show(line)
    edge = found.spans_with(mesh__direction="edge")[0]
    inbound_shop = found.spans_with(mesh__direction="inbound", mesh__destination="shop")[0]
    outbound = found.spans_with(mesh__direction="outbound")[0]
    inbound_stock = found.spans_with(mesh__direction="inbound", mesh__destination="stock")[0]
    chain = [edge, inbound_shop, outbound, inbound_stock]
    is_connected = all(low.parent_id == high.span_id for high, low in pairwise(chain))
    hold(
        is_connected,
        "edge → inbound shop → outbound shop → inbound stock, each the parent of the next",
    )
    entry = await world.cluster.api("GET", "/v1/kv/mesh/routes/shop")
    index = entry[0]["ModifyIndex"]
    hold(
        edge.tags.get("mesh.config.key") == "mesh/routes/shop"
        and edge.tags.get("mesh.config.index") == index,
        f"the edge's span names the key mesh/routes/shop and its index {index}",
    )
