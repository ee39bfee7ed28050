"""Blocking queries: who is woken by what, with which index."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.contract.subject import Subject, index_of
from tests.support.consul_api import HttpAnswer

LONG_S = 60
SHORT = "300ms"


@asynccontextmanager
async def waiting(
    consul: Subject, path: str, index: int
) -> AsyncIterator[asyncio.Task[HttpAnswer]]:
    """A question that waits for more than `index`. It was sent before the block is entered."""
    mark = "&" if "?" in path else "?"
    asked = f"{path}{mark}index={index}&wait={LONG_S}s"
    task = asyncio.create_task(consul.call("GET", asked, timeout=2 * LONG_S))
    # A short question of the same kind that ends by itself went the same way after it.
    await consul.call("GET", f"{path}{mark}index={index}&wait=50ms")
    try:
        yield task
    finally:
        task.cancel()


async def index_at(consul: Subject, path: str) -> int:
    return index_of(await consul.call("GET", path))


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/v1/kv/w/a", ("PUT", "/v1/kv/w/a", "2")),
        ("/v1/kv/w/a", ("DELETE", "/v1/kv/w/a", None)),
        ("/v1/kv/w/new", ("PUT", "/v1/kv/w/new", "1")),
        ("/v1/kv/w/?recurse", ("PUT", "/v1/kv/w/new", "1")),
        ("/v1/kv/w/?recurse", ("DELETE", "/v1/kv/w/a", None)),
        ("/v1/kv/w/?recurse", ("DELETE", "/v1/kv/w/?recurse", None)),
        ("/v1/kv/w?recurse", ("DELETE", "/v1/kv/w?recurse", None)),
        ("/v1/kv/?recurse", ("DELETE", "/v1/kv/w/?recurse", None)),
        ("/v1/kv/w/?keys", ("PUT", "/v1/kv/w/c", "1")),
        ("/v1/kv/empty/?recurse", ("PUT", "/v1/kv/empty/first", "1")),
        ("/v1/session/list", ("PUT", "/v1/session/create", '{"Checks":[]}')),
        ("/v1/session/node/node-1", ("PUT", "/v1/session/create", '{"Checks":[]}')),
    ],
)
async def test_a_change_wakes_with_a_larger_index(
    consul: Subject, path: str, change: tuple[str, str, str | None]
) -> None:
    await consul.put("w/a", "1")
    await consul.put("w/b", "1")
    index = await index_at(consul, path)
    method, changed, body = change
    async with waiting(consul, path, index) as task:
        answer = await consul.call(method, changed, body=body)
        assert answer.status == 200
        woken = await task
    assert index_of(woken) > index
    assert woken.text == (await consul.call("GET", path)).text


@pytest.mark.parametrize(
    "path", ["/v1/kv/w/a", "/v1/kv/w/?recurse", "/v1/kv/none/?recurse", "/v1/kv/w/?keys"]
)
async def test_others_changes_do_not_wake(consul: Subject, path: str) -> None:
    await consul.put("w/a", "1")
    index = await index_at(consul, path)
    mark = "&" if "?" in path else "?"
    question = f"{path}{mark}index={index}&wait={SHORT}"
    task = asyncio.create_task(consul.call("GET", question))
    for number in range(10):
        await consul.put(f"x/{number}", "1")
    unwoken = await task
    assert index_of(unwoken) == index or unwoken.status == 404


async def test_an_older_index_is_answered_at_once(consul: Subject) -> None:
    await consul.put("w/a", "1")
    index = await index_at(consul, "/v1/kv/w/a")
    answer = await consul.call("GET", f"/v1/kv/w/a?index={index - 1}&wait={LONG_S}s")
    assert index_of(answer) == index


async def test_a_missing_key_waits_for_its_birth(consul: Subject) -> None:
    index = await index_at(consul, "/v1/kv/unborn")
    async with waiting(consul, "/v1/kv/unborn", index) as task:
        await consul.put("another", "x")
        await consul.put("unborn", "x")
        woken = await task
    assert (woken.status, index_of(woken) > index) == (200, True)


async def test_time_is_over_with_the_same_answer(consul: Subject) -> None:
    await consul.put("w/a", "1")
    first = await consul.call("GET", "/v1/kv/w/a")
    answer = await consul.call("GET", f"/v1/kv/w/a?index={index_of(first)}&wait={SHORT}")
    assert (answer.status, answer.text, index_of(answer)) == (200, first.text, index_of(first))
