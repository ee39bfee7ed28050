"""What becomes of checks with time: findings in a row, outputs, reaping, and a registry that starts again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from catalog.embedded import Registry, entries
from catalog.embedded.agent_bodies import ServiceRegistration
from catalog.embedded.check_form import Definition
from catalog.embedded.check_reports import OUTPUT_AFTER_S, Reports
from catalog.embedded.node_entries import put_alive
from catalog.embedded.probes import Finding, Smoothing
from catalog.embedded.reaper import Reaper
from catalog.embedded.store import Store
from tests.support.process import wait_until

NODE = "node-1"
MINUTE_S = 60


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    store = Store(tmp_path / "registry.db", clock)
    store.open()
    await store.write(lambda writer: put_alive(writer, NODE, "127.0.0.1"))
    yield store
    await store.close()


async def register(store: Store, body: bytes) -> None:
    registration = ServiceRegistration.of(body)
    await store.write(lambda writer: registration.apply(writer, NODE, is_replacing_checks=False))


def check(store: Store, check_id: str) -> dict[str, Any] | None:
    return store.read(lambda reader: entries.check(reader, NODE, check_id))


@pytest.mark.parametrize(
    ("limits", "findings", "told"),
    [
        ((0, 0, 0), "pcp", ["passing", "critical", "passing"]),
        # The very first counts at once; then it takes as many as were asked for.
        ((2, 0, 0), "pcpp", ["passing", "critical", None, "passing"]),
        ((0, 0, 3), "cpccc", ["critical", "passing", "warning", "warning", "critical"]),
        ((0, 2, 3), "pccc", ["passing", None, "warning", "critical"]),
        ((0, 3, 3), "pccpccc", ["passing", None, None, "passing", None, None, "critical"]),
        ((0, 0, 2), "wcwc", ["warning", "warning", "warning", "warning"]),
    ],
)
def test_so_many_findings_in_a_row_make_a_status(
    limits: tuple[int, int, int], findings: str, told: list[str | None]
) -> None:
    success, warning, critical = limits
    smoothing = Smoothing(
        Definition(
            tcp="x:1",
            success_before_passing=success,
            failures_before_warning=warning,
            failures_before_critical=critical,
        )
    )
    names = {"p": "passing", "w": "warning", "c": "critical"}
    assert [smoothing.status(Finding(names[one], "")) for one in findings] == told


async def test_an_output_alone_is_written_now_and_then(store: Store, clock: Clock) -> None:
    await register(store, b'{"Name":"web","Check":{"CheckID":"c","TTL":"60s"}}')
    reports = Reports(store, clock)

    async def tell(status: str, output: str) -> str:
        assert await reports.tell(NODE, "c", Finding(status, output))
        written = check(store, "c")
        assert written is not None
        assert reports.output(NODE, "c", written["Output"]) == output
        return str(written["Output"])

    assert await tell("passing", "one") == "one"
    assert await tell("passing", "two") == "one"
    clock.now += OUTPUT_AFTER_S
    assert await tell("passing", "three") == "three"
    assert await tell("critical", "four") == "four"


async def test_a_report_on_a_check_that_is_gone_is_told_so(store: Store, clock: Clock) -> None:
    assert not await Reports(store, clock).tell(NODE, "gone", Finding("passing", ""))


async def test_a_service_that_is_critical_for_too_long_goes(store: Store, clock: Clock) -> None:
    own = b'{"CheckID":"c","TTL":"60s","DeregisterCriticalServiceAfter":"10m"}'
    await register(store, b'{"Name":"web","Check":' + own + b"}")
    await register(store, b'{"Name":"stays","Check":{"TTL":"60s"}}')
    reaper, reports = Reaper(store, clock), Reports(store, clock)

    def services() -> list[str]:
        found = store.read(lambda reader: entries.services_on(reader, NODE))
        return [service["ID"] for service in found]

    await reaper.reap()
    clock.now += 9 * MINUTE_S
    await reports.tell(NODE, "c", Finding("passing", ""))
    await reaper.reap()
    await reports.tell(NODE, "c", Finding("critical", ""))
    await reaper.reap()
    clock.now += 9 * MINUTE_S
    await reaper.reap()
    assert services() == ["consul", "stays", "web"]
    clock.now += MINUTE_S
    await reaper.reap()
    assert services() == ["consul", "stays"]
    assert check(store, "c") is None


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[str]:
    """A registry with one node that listens; its address."""
    async with Registry(path) as registry:
        await registry.add_node(NODE, "127.0.0.1")
        port = await registry.listen("127.0.0.1", 0, NODE)
        yield f"http://127.0.0.1:{port}"


async def call(method: str, url: str, body: object = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, json=body) as answer,
    ):
        text = await answer.text()
        is_json = answer.content_type == "application/json" and text
        return answer.status, await answer.json() if is_json else text


async def test_checks_go_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    async with running(path) as address:
        for name, ttl in (("short", "1s"), ("long", "1h")):
            own = {"CheckID": name, "TTL": ttl, "Status": "passing"}
            body = {"Name": name, "Check": own}
            assert (await call("PUT", f"{address}/v1/agent/service/register", body))[0] == 200
    async with running(path) as address:

        async def failing() -> list[str]:
            _, found = await call("GET", f"{address}/v1/health/state/critical")
            return [one["CheckID"] for one in found]

        assert await wait_until(failing, what="the heartbeat is missed") == ["short"]
        _, services = await call("GET", f"{address}/v1/agent/services")
        assert list(services) == ["long", "short"]
        assert (await call("PUT", f"{address}/v1/agent/check/pass/short"))[0] == 200
        assert (await call("GET", f"{address}/v1/health/state/critical"))[1] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"Name": "a", "Kind": "connect-proxy"}, "meshnode is its proxy"),
        ({"Name": "a", "Connect": {"SidecarService": {}}}, "meshnode is its proxy"),
        ({"Name": "a", "Check": {"GRPC": "x:1", "Interval": "1s"}}, "GRPC checks are not in"),
        ({"Name": "a", "Check": {"Args": ["x"], "Interval": "1s"}}, "Args checks are not in"),
    ],
)
async def test_what_it_has_not_is_said_by_name(
    tmp_path: Path, body: dict[str, Any], words: str
) -> None:
    async with running(tmp_path / "registry.db") as address:
        status, text = await call("PUT", f"{address}/v1/agent/service/register", body)
        assert (status, words in text) == (501, True)
        status, text = await call("PUT", f"{address}/v1/config", {"Kind": "mesh", "Name": "mesh"})
        assert (status, "kind mesh are not in" in text) == (501, True)
