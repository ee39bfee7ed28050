"""The shop's services as programs: what they answer, whom they call, and how they pass on what they know."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from meshnode.dev.service import Place, as_text
from tests.support import Process, free_port, wait_until

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@asynccontextmanager
async def service(folder: Path, name: str, **environment: str) -> AsyncIterator[str]:
    """One service; its URL."""
    address = f"127.0.0.1:{free_port()}"
    words = [sys.executable, "-m", "meshnode.dev.service"]
    env = {"DEMO_SERVICE": name, "DEMO_LISTEN": address, "DEMO_NODE": "node-9", **environment}
    with Process(name, words, folder=folder, env=env):
        await wait_until(lambda: _answers(f"http://{address}/health"), what=f"{name} listens")
        yield f"http://{address}/"


async def _answers(url: str) -> bool:
    return (await get(url))[0] == 200


async def get(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


@asynccontextmanager
async def mesh(
    answer: Callable[[], web.Response], seen: list[web.BaseRequest]
) -> AsyncIterator[str]:
    """In place of an outbound port: answers everything alike and keeps what it was asked."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return answer()

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_last_one_says_who_answered(tmp_path: Path) -> None:
    async with service(tmp_path, "stock") as url:
        status, text = await get(url)
    assert (status, text) == (200, "stock on node-9: 12 lamps, 3 chairs in stock\n")


async def test_a_call_goes_by_the_outbound_port_with_its_trace(tmp_path: Path) -> None:
    seen: list[web.BaseRequest] = []
    below = {"service": "stock", "node": "node-3", "says": "12 lamps"}
    async with AsyncExitStack() as stack:
        outbound = await stack.enter_async_context(mesh(lambda: web.json_response(below), seen))
        url = await stack.enter_async_context(
            service(tmp_path, "cart-next", DEMO_OUTBOUND=outbound)
        )
        status, text = await get(url, traceparent=TRACE, cookie="not-for-others")
    assert status == 200
    assert text.splitlines()[0].startswith("cart-next on node-9: NEW CART")
    assert text.splitlines()[1] == "  stock on node-3: 12 lamps"
    assert [(one.host, one.path) for one in seen] == [("stock.mesh", "/")]
    assert seen[0].headers["traceparent"] == TRACE
    assert seen[0].headers["accept"].startswith("text/plain")
    assert "cookie" not in seen[0].headers


async def test_a_refusal_is_passed_on_with_its_status_and_sentence(tmp_path: Path) -> None:
    sentence = "intention denied: stock refused cart: intention cart => stock (deny)"
    reason = {"mesh-reason": "intention_denied"}
    refusal = partial(web.Response, status=403, text=sentence + "\n", headers=reason)
    async with AsyncExitStack() as stack:
        outbound = await stack.enter_async_context(mesh(refusal, []))
        url = await stack.enter_async_context(service(tmp_path, "cart", DEMO_OUTBOUND=outbound))
        status, text = await get(url)
        as_json = await get(url, accept="application/json")
    assert status == 403
    assert f"  403 {sentence}" in text
    assert json.loads(as_json[1])["below"]["reason"] == "intention_denied"


async def test_an_outbound_port_that_is_away_is_502(tmp_path: Path) -> None:
    async with service(tmp_path, "front", DEMO_OUTBOUND=f"127.0.0.1:{free_port()}") as url:
        status, text = await get(url)
    assert status == 502
    assert "http://cart.mesh/" in text


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({}, "DEMO_SERVICE is one of"),
        ({"DEMO_SERVICE": "crat"}, "DEMO_SERVICE is one of"),
        ({"DEMO_SERVICE": "stock", "DEMO_LISTEN": "here"}, "DEMO_LISTEN is address:port"),
        ({"DEMO_SERVICE": "cart"}, "DEMO_OUTBOUND is its outbound port"),
    ],
)
def test_a_missing_setting_is_named(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Place.of(environment)


def test_what_others_answer_may_be_anything() -> None:
    assert as_text({"error": "500 what"}, 1) == "  500 what\n"
    assert as_text({"service": "a", "node": "", "says": "b", "below": []}) == "a on its node: b\n"
