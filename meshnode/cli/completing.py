"""What a shell is offered while a person types: keys and services as Consul has them now. Silent when it can't tell.

A person waits with a finger on the tab key: whatever goes wrong, nothing is offered and nothing is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from catalog import ConsulClient

# Longer than a Consul that is there takes for some thousand keys, shorter than a person's patience.
PATIENCE_S = 1.0
# A terminal shows no more of them usefully.
MOST_OFFERED = 200


def complete_key(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys that people wrote."""

    async def ask(client: ConsulClient) -> Iterable[str]:
        return [entry.key for entry in await client.kv_list("mesh/")]

    return _offered(ctx, incomplete, ask)


def complete_route(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of routes."""

    async def ask(client: ConsulClient) -> Iterable[str]:
        prefix = "mesh/routes/"
        return [entry.key.removeprefix(prefix) for entry in await client.kv_list(prefix)]

    return _offered(ctx, incomplete, ask)


def complete_tls_host(ctx: typer.Context, incomplete: str) -> list[str]:
    """Hosts with TLS settings."""

    async def ask(client: ConsulClient) -> Iterable[str]:
        from catalog import TLS, tls_host

        hosts = [tls_host(entry.key) for entry in await client.kv_list(TLS)]
        return [host for host in hosts if host is not None]

    return _offered(ctx, incomplete, ask)


def complete_service(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of services in the catalog."""

    async def ask(client: ConsulClient) -> Iterable[str]:
        return await client.services()

    return _offered(ctx, incomplete, ask)


def _offered(
    ctx: typer.Context, incomplete: str, ask: Callable[[ConsulClient], Awaitable[Iterable[str]]]
) -> list[str]:
    try:
        words = asyncio.run(_ask(ctx.params, ask))
    except Exception:  # noqa: BLE001  (an error printed into a line that is being typed helps nobody)
        return []
    return [word for word in sorted(words) if word.startswith(incomplete)][:MOST_OFFERED]


async def _ask(
    parameters: dict[str, Any], ask: Callable[[ConsulClient], Awaitable[Iterable[str]]]
) -> Iterable[str]:
    from ..config import read_settings
    from .options import given_by
    from .reach import consul_client

    flags = {
        "consul_address": parameters.get("consul"),
        "consul_token_file": parameters.get("token_file"),
    }
    settings = read_settings(given_by(parameters.get("config"), flags))
    async with asyncio.timeout(PATIENCE_S), consul_client(settings) as client:
        return await ask(client)
