"""All that the main job runs: edge on node-1, the calling service `shop` on node-2, nginx as `stock` on node-3."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.integration.mainjob.told import show, step
from tests.support import ConsulCluster, EchoServer, Jaeger, Nginx, free_port, program_path, run
from tests.support.mesh import MeshNode

HOST = "shop.test"
SECRET = "stock-level-4711-nobody-else-may-read-this"
SERVICE_UID = 4711
PATIENCE_S = 20.0


@dataclass(slots=True)
class World:
    """What a step needs to know."""

    cluster: ConsulCluster
    jaeger: Jaeger
    nodes: tuple[MeshNode, ...]
    shop: EchoServer
    stock: Nginx
    folder: Path

    @property
    def edge(self) -> MeshNode:
        return self.nodes[0]

    async def consul(self, *arguments: str | Path) -> str:
        """Runs and shows a command of the real `consul`, as the admin."""
        shown = " ".join(f"'{one}'" if " " in str(one) else str(one) for one in arguments)
        show(f"$ consul {shown}")
        finished = await self.cluster.cli(*arguments)
        text = (finished.stdout + finished.stderr).strip()
        if text:
            show(f"  {text.splitlines()[0]}")
        return text

    async def curl(self, *arguments: str) -> str:
        """Runs and shows curl through the edge; gives head and body."""
        show(f"$ curl -i -H 'Host: {HOST}' {self.edge.edge}/ {' '.join(arguments)}".rstrip())
        finished = await run(
            "curl", "-sS", "-i", "-m", "10", "-H", f"Host: {HOST}", f"{self.edge.edge}/", *arguments
        )
        return finished.stdout.replace("\r\n", "\n")


async def build(stack: AsyncExitStack, folder: Path, *, has_acl: bool) -> World:
    step(1, "three Consul agents, Jaeger, three nodes of the mesh")
    cluster = await stack.enter_async_context(ConsulCluster(folder / "consul", acl=has_acl))
    jaeger = await stack.enter_async_context(Jaeger(folder / "jaeger"))
    show(
        f"Consul {'with ACLs, default deny' if has_acl else 'without ACLs'}: "
        + ", ".join(f"{agent.name} {agent.http_address}" for agent in cluster.agents)
    )
    services: dict[str, tuple[str, ...]] = {"node-1": (), "node-2": ("shop",), "node-3": ("stock",)}
    nodes = []
    for name, owned in services.items():
        token = await node_token(cluster, name, owned) if has_acl else None
        node = MeshNode(
            cluster,
            name,
            folder,
            token=token,
            is_edge=name == "node-1",
            otlp_http=jaeger.otlp_http,
            jaeger_url=jaeger.query_url,
        )
        nodes.append(await stack.enter_async_context(node))
        show(
            f"{name}: mesh {node.address}:{node.mesh_port}"
            + (f", edge {node.edge}" if name == "node-1" else "")
        )
    # Debian's nginx, which knows nothing of any mesh.
    stock = await stack.enter_async_context(
        Nginx(folder, {"index.html": SECRET}, address=cluster["node-3"].address)
    )
    outbound_port = free_port("127.0.0.2")
    shop = await stack.enter_async_context(
        EchoServer(
            "shop-1",
            folder,
            address="127.0.0.2",
            outbound=f"127.0.0.2:{outbound_port}",
            call="http://stock.mesh/",
            uid=SERVICE_UID,
        )
    )
    world = World(cluster, jaeger, tuple(nodes), shop, stock, folder)
    await register(world, outbound_port)
    return world


async def node_token(cluster: ConsulCluster, node: str, services: tuple[str, ...]) -> str:
    """A token with the least policy, as `meshnode acl policy` prints it."""
    arguments = ["acl", "policy", "--node", node]
    arguments += ["--edge", "--signer"] if node == "node-1" else []
    arguments += [word for service in services for word in ("--service", service)]
    show(f"$ meshnode {' '.join(arguments)} | consul acl policy create -name {node}-mesh -rules -")
    printed = await run(program_path("meshnode"), *arguments)
    name = f"{node}-mesh"
    await cluster.cli("acl", "policy", "create", "-name", name, "-rules", "-", stdin=printed.stdout)
    show(f"$ consul acl token create -policy-name {name}")
    made = await cluster.cli("acl", "token", "create", "-policy-name", name, "-format", "json")
    return str(json.loads(made.stdout)["SecretID"])


async def register(world: World, outbound_port: int) -> None:
    step(2, "two services are registered, as always with Consul")
    for node, service, address, port, meta in (
        (
            "node-2",
            "shop",
            "127.0.0.2",
            world.shop.port,
            {"mesh-outbound-port": str(outbound_port)},
        ),
        ("node-3", "stock", "127.0.0.3", world.stock.port, {}),
    ):
        entries = "".join(f'    "{key}" = "{value}"\n' for key, value in meta.items())
        file = world.folder / f"{service}.hcl"
        file.write_text(
            f'service {{\n  name = "{service}"\n  id = "{service}-1"\n  address = "{address}"\n  port = {port}\n'
            f"  meta {{\n{entries}  }}\n"
            f'  check {{\n    tcp = "{address}:{port}"\n    interval = "1s"\n    status = "passing"\n  }}\n}}\n'
        )
        show(f"$ consul services register {file.name}      (on {node})")
        await world.cluster.cli("services", "register", file, node=node)
