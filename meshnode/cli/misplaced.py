"""Keys beside `mesh/` that were meant to be under it. No node reads them, so no node says so: the commands do."""

from __future__ import annotations

from collections.abc import AsyncIterator

from catalog import ConsulClient, ConsulDenied, KvEntry, nearest

from .waiting import PEOPLES

MACHINES = "meshnode/"
FOLDER_ITSELF = PEOPLES.rstrip("/")
"""A key of its own to Consul, beside all that lies under it."""
EXAMPLE_KEY = f"{PEOPLES}routes/shop"
# What stands right below mesh/.
FOLDERS = ("routes", "services", "upstreams", "drain", "tests")
SINGLE = ("settings", "confirm")
# Of more than these a look at the first says what happened.
LOOKED_AT_MAX = 20


def meant(key: str) -> str | None:
    """The key under mesh/ that one beside it was probably to be: `routes/shop`, `Mesh/routes/shop`, `mseh/routes/shop`."""
    first, slash, rest = key.partition("/")
    if not slash:
        return None
    if first in FOLDERS:
        return PEOPLES + key
    below, slash, _ = rest.partition("/")
    is_kind = rest in SINGLE or (slash and below in FOLDERS)
    is_near = is_kind and nearest(first.casefold(), (PEOPLES[:-1],))
    return PEOPLES + rest if is_near else None


async def misplaced(client: ConsulClient) -> tuple[tuple[str, str], ...]:
    """Such keys that stand in Consul, each with the key that was meant; none where the token may not look."""
    try:
        return tuple([found async for found in _misplaced(client)])
    except ConsulDenied:
        return ()


async def _misplaced(client: ConsulClient) -> AsyncIterator[tuple[str, str]]:
    for folder in await client.kv_names(""):
        if folder in (PEOPLES, MACHINES) or not (
            folder == "routes/" or nearest(folder.rstrip("/").casefold(), (PEOPLES[:-1],))
        ):
            continue
        if folder == FOLDER_ITSELF:
            yield folder, EXAMPLE_KEY
        # A key beside all folders is no beginning of others.
        if not folder.endswith("/"):
            continue
        for key in (await client.kv_names(folder, is_whole=True))[:LOOKED_AT_MAX]:
            right = meant(key)
            # Programs of people's own may have a folder of that name.
            if right and (folder != "routes/" or await _is_route(client, key)):
                yield key, right


async def _is_route(client: ConsulClient, key: str) -> bool:
    from catalog import Route, parse_route

    entry = await client.kv_get(key)
    if entry is None:
        return False
    as_meant = KvEntry(PEOPLES + key, entry.value, entry.modify_index)
    return isinstance(parse_route(key.partition("/")[2], as_meant), Route)
