"""The routes that README and docs/ show: each passes four shells as it stands, is taken by `meshnode check`, and leads where the page says.

Where it leads is asked of a proxy, which alone decides it, by a table of that route and no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog import Snapshot, compile_snapshot, state_alone
from meshnode.candidate.asking import ask
from meshnode.candidate.lone import lone_proxy
from tests.support import run
from tests.support.mesh import COMMANDS
from tests.support.typed import SHELLS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/routes.md").read_text()
_FENCE = re.compile(r"(?ms)^```(\w+)\n(.*?)^```")
_CODE = re.compile(r"`([^`\n]+ -> [^`\n]+)`")


def shown(kind: str) -> Iterator[str]:
    for found in _FENCE.finditer(PAGE):
        if found[1] == kind:
            yield from found[2].splitlines() if kind != "yaml" else [found[2]]


def in_readme() -> Iterator[str]:
    """In a table, a bar has a backslash before it; a command quotes its route."""
    for code in _CODE.findall((ROOT / "README.md").read_text().replace("\\|", "|")):
        yield code.partition("'")[2].rstrip("'") if "'" in code else code


LINES = tuple(dict.fromkeys([*shown("route"), *in_readme()]))
DOCUMENTS = tuple(shown("yaml"))
REFUSED = tuple(shown("refused"))


@pytest.mark.parametrize("shell", SHELLS)
async def test_every_route_passes_a_shell_and_is_taken(shell: str, tmp_path: Path) -> None:
    put = "".join(
        f"printf '%s' '{line}' > mesh/routes/line-{at}\n" for at, line in enumerate(LINES)
    )
    said = await typed(shell, f"mkdir -p mesh/routes\n{put}meshnode check mesh --json", tmp_path)
    for at, line in enumerate(LINES):
        assert (tmp_path / f"mesh/routes/line-{at}").read_text() == line
    assert said["keys"] == len(LINES)
    assert [one for one in said["problems"] if one["severity"] == "error"] == []


@pytest.mark.parametrize("shell", SHELLS)
async def test_what_comes_later_is_refused_by_name(shell: str, tmp_path: Path) -> None:
    put = "".join(
        f"printf '%s' '{line}' > mesh/routes/line-{at}\n" for at, line in enumerate(REFUSED)
    )
    said = await typed(shell, f"mkdir -p mesh/routes\n{put}meshnode check mesh --json", tmp_path)
    found = {one["key"]: one["message"] for one in said["problems"] if one["severity"] == "error"}
    assert len(found) == len(REFUSED)
    assert all("not in this version yet" in sentence for sentence in found.values()), found


async def typed(shell: str, text: str, folder: Path) -> Any:
    """What `meshnode check` says at the end of these lines."""
    environment = {"PATH": f"{COMMANDS}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    said = await run(*SHELLS[shell], text, env=environment, cwd=folder, check=False)
    assert said.stdout.startswith("{"), said
    return orjson.loads(said.stdout)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and where it goes: services (and the path they see, where it is another), or the mesh's own answer."""

    url: str
    outcome: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    caller: str | None = None
    client: str = "203.0.113.9"

    def request(self) -> dict[str, Any]:
        host, slash, path = self.url.partition("/")
        return {
            "listener": "outbound" if self.caller else "edge",
            **({"source": self.caller} if self.caller else {}),
            "method": self.method,
            "host": host,
            "path": slash + path,
            "headers": [list(pair) for pair in self.headers.items()],
            "client_address": self.client,
        }


NONE = "404 no_route"
GRPC = {"content-type": "application/grpc"}
MEANT: dict[str, list[Asked]] = {
    "shop.example/cart -> cart": [
        Asked("shop.example/cart", "cart"),
        Asked("shop.example/cart/1", "cart"),
        Asked("shop.example/cartoon", NONE),
        Asked("other.example/cart", NONE),
    ],
    "shop.example=/cart -> cart": [
        Asked("shop.example/cart", "cart"),
        Asked("shop.example/cart/1", NONE),
    ],
    "shop.example~/users/[0-9]+ -> users": [
        Asked("shop.example/users/17", "users"),
        Asked("shop.example/users/17/x", NONE),
        Asked("shop.example/users/x", NONE),
    ],
    "shop.example,*.shop.example/static -> cdn": [
        Asked("shop.example/static/a.js", "cdn"),
        Asked("www.shop.example/static", "cdn"),
        Asked("www.shop.example/", NONE),
    ],
    "GET,HEAD */ -> web": [
        Asked("any.example/x", "web"),
        Asked("any.example/x", "web", "HEAD"),
        Asked("any.example/x", NONE, "POST"),
    ],
    "shop.example/ when header.x-beta=1, !query.debug -> beta": [
        Asked("shop.example/", "beta", headers={"x-beta": "1"}),
        Asked("shop.example/?debug", NONE, headers={"x-beta": "1"}),
        Asked("shop.example/", NONE, headers={"x-beta": "2"}),
    ],
    "shop.example/ when header.user-agent^=curl, cookie.group$=-b -> beta": [
        Asked("shop.example/", "beta", headers={"user-agent": "curl/8", "cookie": "group=x-b"}),
        Asked("shop.example/", NONE, headers={"user-agent": "curl/8", "cookie": "group=x-c"}),
    ],
    "shop.example/ when header.accept-language~=de.*|fr.* -> europe": [
        Asked("shop.example/", "europe", headers={"accept-language": "fr-CH"}),
        Asked("shop.example/", NONE, headers={"accept-language": "en, fr"}),
    ],
    'shop.example/ when header.x-note="a, b" -> web': [
        Asked("shop.example/", "web", headers={"x-note": "a, b"}),
        Asked("shop.example/", NONE, headers={"x-note": "a"}),
    ],
    "shop.example/admin when client=10.0.0.0/8|fd00::/8 -> admin": [
        Asked("shop.example/admin", "admin", client="10.9.8.7"),
        Asked("shop.example/admin", "admin", client="fd00::1"),
        Asked("shop.example/admin", NONE),
    ],
    "cart.mesh/admin when from=web -> cart-admin": [
        Asked("cart.mesh/admin", "cart-admin", caller="web"),
        Asked("cart.mesh/admin", "503 no_such_service", caller="shop"),
    ],
    # What a port takes is no request: tests/requests/streams.rs of the engine connects there.
    "tcp :5432 -> postgres": [Asked("any.example/", NONE)],
    "tcp :5432 when client=10.0.0.0/8 -> postgres": [
        Asked("any.example:5432/", NONE, client="10.9.8.7"),
    ],
    "grpc shop.v1.Cart/Get -> cart": [
        Asked("any.example/shop.v1.Cart/Get", "cart", "POST", GRPC),
        Asked("any.example/shop.v1.Cart/Put", NONE, "POST", GRPC),
    ],
    "grpc shop.example/shop.v1.Cart/* -> cart": [
        Asked("shop.example/shop.v1.Cart/Put", "cart", "POST", GRPC),
        Asked("shop.example/shop.v1.Shop/Put", NONE, "POST", GRPC),
    ],
    "shop.example/ -> shop 90%, shop-next 10%": [Asked("shop.example/", "shop 90, shop-next 10")],
    "shop.example/ -> shop[tag=v2]": [Asked("shop.example/", "shop[tag=v2]")],
    "shop.example/ -> shop[meta.version=2,tag=blue]": [
        Asked("shop.example/", "shop[tag=blue,meta.version=2]"),
    ],
    "old.example/ -> redirect 301 https://new.example/": [
        Asked("old.example/a?b", "301 https://new.example/a?b"),
    ],
    'shop.example/down -> answer 503 "Back at noon."': [
        Asked("shop.example/down", "503"),
    ],
    "shop.example/cart/v1 -> cart strip=/cart add=/api": [
        Asked("shop.example/cart/v1/x", "cart /api/v1/x"),
    ],
    "shop.example/cart -> cart replace=/basket": [Asked("shop.example/cart/x", "cart /basket/x")],
    "shop.example/ -> shop host=shop.internal:8080": [
        Asked("shop.example/", "shop with host shop.internal:8080"),
    ],
    "shop.example/ -> shop timeout=5s timeout_head=2s timeout_idle=1s retries=2": [
        Asked("shop.example/", "shop"),
    ],
    "shop.example/ -> shop priority=5": [Asked("shop.example/", "shop")],
    # README
    "*.shop.example/static -> cdn strip=/static": [
        Asked("a.shop.example/static/x.js", "cdn /x.js"),
        Asked("shop.example/static/x.js", NONE),
    ],
    "shop.test/ -> shop": [Asked("shop.test/", "shop")],
    "shop.example=/health -> health": [
        Asked("shop.example/health", "health"),
        Asked("shop.example/health/x", NONE),
    ],
    "shop.example/ -> shop 90%, shop-next 10% timeout=2s": [
        Asked("shop.example/", "shop 90, shop-next 10"),
    ],
    "GET,HEAD shop.example/cart when header.x-beta=1 -> cart[tag=v2] retries=2": [
        Asked("shop.example/cart", "cart[tag=v2]", headers={"x-beta": "1"}),
        Asked("shop.example/cart", NONE, "PUT", headers={"x-beta": "1"}),
    ],
    "shop.example~/cart/[0-9]+ -> cart": [
        Asked("shop.example/cart/7", "cart"),
        Asked("shop.example/cart/", NONE),
    ],
    "grpc shop.example/pkg.Cart/Add -> cart": [
        Asked("shop.example/pkg.Cart/Add", "cart", "POST", GRPC),
        Asked("shop.example/pkg.Cart/Del", NONE, "POST", GRPC),
    ],
    "shop.example/old -> answer 410 gone": [Asked("shop.example/old/x", "410")],
}
WITHIN: dict[str, Any] = {"client": "10.1.2.3", "headers": {"x-beta": "1", "cookie": "group=d"}}
DOCUMENTED: list[list[Asked]] = [
    [
        Asked(
            "a.shop.example/users/7/orders/x", "orders 90, orders[tag=v2] 10 /7/orders/x", **WITHIN
        ),
        Asked("shop.example/users/7/x", NONE, **WITHIN),
        Asked("shop.example/users/7/orders/x", NONE, "PUT", **WITHIN),
        Asked("shop.example/users/7/orders/x", NONE, headers={"x-beta": "1"}),
        Asked("shop.example/users/7/orders/x", NONE, client="10.1.2.3"),
    ],
    [
        Asked("shop.example/shop.v1.Cart/Get", "cart", "POST", GRPC),
        Asked("shop.example/shop.v1.Cart/Put", NONE, "POST", GRPC),
    ],
    [Asked("any.example/", NONE)],
    [Asked("old.example/a?b=c", "308 https://old.example.new.example/a?b=c")],
]
"""Of the documents, in the page's order."""


async def test_each_route_leads_where_the_page_says() -> None:
    assert set(LINES) == set(MEANT), "each route that is shown stands here with what it means"
    async with lone_proxy() as client:
        for value, asked in [*MEANT.items(), *zip(DOCUMENTS, DOCUMENTED, strict=True)]:
            answers = await told(client, value, asked)
            found = [outcome(answer, one) for answer, one in zip(answers, asked, strict=True)]
            assert found == [one.outcome for one in asked], value


async def told(client: Any, value: str, asked: list[Asked]) -> tuple[Any, ...]:
    """What the proxy would do with these requests, had it this route alone."""
    alone = state_alone({"mesh/routes/shown": value.encode()})
    compiled = compile_snapshot(alone.state, alone.facts)
    table = Snapshot(1, compiled.digest, compiled.resources)
    found = await ask(client, table, [one.request() for one in asked])
    assert found.refusals == (), value
    return found.answers


def outcome(answer: Any, asked: Asked) -> str:
    own = answer["answer"]
    if own and own["reason"] not in ("", "no_healthy_endpoint"):
        return f"{own['status']} {own['reason']}"
    if own and not own["reason"]:
        return f"{own['status']} {own.get('location', '')}".rstrip()
    parts = answer["split"]
    said = ", ".join(
        f"{one['cluster']} {one['weight']}" if len(parts) > 1 else one["cluster"] for one in parts
    )
    if request := answer["request"]:
        _, path, _ = request["line"].split(" ")
        if path != asked.request()["path"]:
            said += f" {path}"
        host = dict(request["headers"])["host"]
        if host != asked.request()["host"]:
            said += f" with host {host}"
    return said
