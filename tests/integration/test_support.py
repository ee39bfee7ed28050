"""The real programs the other tests stand on do what those tests take for granted."""

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.support import (
    Answer,
    Capture,
    ConsulCluster,
    ConsulError,
    EchoServer,
    Jaeger,
    KeepAliveLoad,
    Nginx,
    Process,
    ProcessError,
    children,
    descendants,
    free_port,
    kill_descendants,
    run,
    run_wrk,
    wait_until,
)

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


async def check_cluster(cluster: ConsulCluster) -> None:
    """A put is seen on every agent, a service in the catalog, an intention in force; each by the admin's own commands."""
    await cluster.cli("kv", "put", "mesh/routes/shop", "shop.test/ -> shop")
    for agent in cluster.agents:
        got = await cluster.cli("kv", "get", "mesh/routes/shop", node=agent.name)
        assert got.stdout.strip() == "shop.test/ -> shop"

    await cluster.cli("services", "register", "-name=shop", "-port=9000", node="node-2")
    found = await wait_until(lambda: cluster.api("GET", "/v1/health/service/shop"), what="shop")
    assert [(one["Node"]["Node"], one["Service"]["Port"]) for one in found] == [("node-2", 9000)]

    await cluster.cli("intention", "create", "-deny", "web", "shop", node="node-3")
    checked = await cluster.cli("intention", "check", "web", "shop", check=False)
    assert (checked.code, checked.stdout.strip()) == (1, "Denied")


async def send_span(jaeger: Jaeger, trace_id: str, name: str) -> None:
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(time.time_ns() - 1_000_000),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": [{"key": "mesh.route", "value": {"stringValue": "shop"}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "edge"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{jaeger.otlp_http}/v1/traces", json=body) as response,
    ):
        assert response.status == 200, await response.text()


@pytest.mark.consul
async def test_three_agents_without_acls(consul: ConsulCluster) -> None:
    await check_cluster(consul)


@pytest.mark.consul
async def test_three_agents_with_default_deny(consul_acl: ConsulCluster) -> None:
    await check_cluster(consul_acl)
    reader = await consul_acl.create_token("reader", 'key_prefix "mesh/" { policy = "read" }')
    got = await consul_acl.cli("kv", "get", "mesh/routes/shop", node="node-3", token=reader)
    assert got.stdout.strip() == "shop.test/ -> shop"
    with pytest.raises(ConsulError) as refused:
        await consul_acl.put("mesh/routes/shop", "garbage", token=reader)
    assert refused.value.status == 403


@pytest.mark.consul
async def test_a_killed_server_comes_back_with_what_it_held(consul_acl: ConsulCluster) -> None:
    await consul_acl.put("mesh/routes/shop", "shop.test/ -> shop")
    consul_acl.server.kill()
    await consul_acl.restart("node-1")
    got = await consul_acl.cli("kv", "get", "mesh/routes/shop", node="node-1")
    assert got.stdout.strip() == "shop.test/ -> shop"
    # Its clients find it again, and its own agent token is still known.
    await consul_acl.wait_ready()
    await wait_until(
        lambda: consul_acl.cli("kv", "get", "mesh/routes/shop", node="node-3"),
        what="a client reads again",
    )


@pytest.mark.consul
async def test_a_stopped_agent_answers_nothing_until_it_goes_on(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path, nodes=1, default_intention_policy="deny") as cluster:
        me = await cluster.api("GET", "/v1/agent/self")
        assert me["DebugConfig"]["DefaultIntentionPolicy"] == "deny"
        cluster.server.stop()
        with pytest.raises(TimeoutError):
            await cluster.call("GET", "/v1/status/leader", timeout=0.5)
        cluster.server.cont()
        await wait_until(lambda: cluster.api("GET", "/v1/status/leader"), what="it answers")


@pytest.mark.jaeger
async def test_a_span_sent_by_otlp_is_found(jaeger: Jaeger) -> None:
    trace_id = secrets.token_hex(16)
    await send_span(jaeger, trace_id, "GET /cart")
    trace = await jaeger.wait_for_trace(trace_id, spans=1)
    (span,) = trace.spans_with(mesh__route="shop")
    assert (span.service, span.name, span.tags["span.kind"]) == ("edge", "GET /cart", "server")
    assert trace.roots == (span,)
    assert await jaeger.services() == ("edge",)
    assert [one.trace_id for one in await jaeger.find_traces("edge")] == [trace_id]
    assert await jaeger.trace(secrets.token_hex(16)) is None


async def test_an_echo_service_tells_what_reached_it_and_calls_on(tmp_path: Path) -> None:
    traceparent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    async with (
        EchoServer("stock-1", tmp_path) as stock,
        EchoServer("cart-1", tmp_path, outbound=f"127.0.0.1:{stock.port}") as cart,
        aiohttp.ClientSession() as session,
    ):
        headers = {"traceparent": traceparent, "echo-call": "http://stock.mesh/left?status=503"}
        async with session.post(f"{cart.url}/cart/7", data="two", headers=headers) as response:
            answer = Answer.parse(await response.read())
    assert (answer.instance, answer.method, answer.path, answer.body) == (
        "cart-1",
        "POST",
        "/cart/7",
        "two",
    )
    assert answer.called is not None
    assert answer.called.status == 503
    called = answer.called.answer
    assert (called.instance, called.path, called.header("Host")) == (
        "stock-1",
        "/left?status=503",
        "stock.mesh",
    )
    assert called.header("traceparent") == traceparent


async def test_an_echo_service_turns_its_health(tmp_path: Path) -> None:
    async with EchoServer("cart-1", tmp_path) as cart, aiohttp.ClientSession() as session:
        async with session.put(f"{cart.url}/health/503") as response:
            assert response.status == 200
        async with session.get(f"{cart.url}/health") as response:
            assert response.status == 503


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a program as another user")
@pytest.mark.parametrize("bind_first", [False, True])
async def test_an_echo_service_runs_as_another_user(tmp_path: Path, *, bind_first: bool) -> None:
    async with EchoServer("cart-1", tmp_path, uid=NOBODY, bind_first=bind_first) as cart:
        call = ("--header", f"echo-call: {cart.url}/again")
        asked = await run("curl", "--silent", "--show-error", *call, cart.url, uid=NOBODY)
        listening = await run(
            "ss", "--tcp", "--listening", "--numeric", "--extended", f"sport = :{cart.port}"
        )
    answer = Answer.parse(asked.stdout)
    assert answer.uid == NOBODY
    assert answer.called is not None
    assert answer.called.answer.path == "/again"
    # Linux tells the user who made the socket; root's is not written out.
    assert re.findall(r"uid:(\d+)", listening.stdout) == ([] if bind_first else [str(NOBODY)])


async def test_load_counts_what_a_person_would_see_fail(tmp_path: Path) -> None:
    async with EchoServer("cart-1", tmp_path) as cart:
        async with KeepAliveLoad(cart.url, host="shop.test", connections=2) as load:
            await load.at_least(50)
            assert load.result.failed == 0, str(load.result)
            assert load.result.quantile(0.5) > 0
            cart.process.kill()
            await load.at_least(10)
        assert load.result.failed >= 5
        assert load.result.ok >= 50
        await cart.start()
        result, bad = await asyncio.gather(
            run_wrk(cart.url, host="shop.test", connections=2, seconds=1),
            run_wrk(f"{cart.url}/?status=503", connections=2, seconds=1),
        )
    assert (result.requests > 50, result.failed) == (True, 0), result.output
    assert bad.failed_statuses == bad.requests, bad.output


async def test_nginx_serves_a_folder_and_a_capture_sees_it(tmp_path: Path) -> None:
    secret = secrets.token_hex(16)
    async with (
        Nginx(tmp_path, {"index.html": secret}) as web,
        Capture(tmp_path, f"tcp port {web.port}") as capture,
    ):
        assert (await run("curl", "--silent", web.url)).stdout == secret
        assert secret.encode() in await capture.payload()


async def test_what_outlives_the_tests_fails_their_session(tmp_path: Path) -> None:
    seconds = str(free_port())  # a number no other test's sleep has
    (tmp_path / "test_leaves.py").write_text(
        f"""
import subprocess
kept = []
def test_that_leaves_a_program():
    kept.append(subprocess.Popen(["sleep", "{seconds}"], start_new_session=True))
"""
    )
    options = (
        "-c",
        "/dev/null",
        "--rootdir",
        tmp_path,
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
    )
    finished = await run(sys.executable, "-m", "pytest", *options, tmp_path, cwd=ROOT, check=False)
    assert finished.code == 1, finished.stdout
    assert "1 passed" in finished.stdout
    left = finished.stdout.partition("left running, killed now")[2]
    assert f"sleep {seconds}" in left
    assert "test_leaves.py::test_that_leaves_a_program" in left
    assert not await _processes(f"sleep {seconds}")


async def _processes(command: str) -> str:
    return (await run("pgrep", "--full", "--exact", command, check=False)).stdout


async def test_a_program_that_ends_at_once_shows_its_output(tmp_path: Path) -> None:
    process = Process("loud", ["sh", "-c", "echo no such luck >&2; exit 3"], folder=tmp_path)
    with process, pytest.raises(ProcessError, match=r"ended with code 3\n.*\nno such luck"):
        await process.until(lambda: False, 5, what="never")


async def test_a_detached_daemon_is_found_and_killed() -> None:
    seconds = str(free_port())  # a number no other test's sleep has
    detach = f"import os; os.fork() and os._exit(0); os.setsid(); os.execlp('sleep', 'sleep', '{seconds}')"
    await run(sys.executable, "-c", detach)
    (found,) = await wait_until(
        lambda: [one for one in descendants() if one.command == f"sleep {seconds}"],
        what="the daemon",
    )
    assert "test_a_detached_daemon" in found.test
    assert kill_descendants(f"sleep {seconds}") == [found.pid]
    # Dead, and gone: nobody who asks for the pid finds a zombie.
    await wait_until(lambda: not Path(f"/proc/{found.pid}").exists(), what="it is gone")


def test_code_under_test_learns_how_its_program_ended() -> None:
    """It starts programs in this process, and asks when its turn comes."""
    with subprocess.Popen(["sleep", "3600"]) as started:
        started.kill()
        os.waitid(os.P_PID, started.pid, os.WEXITED | os.WNOWAIT)
        children.reap_adopted()
        assert started.poll() == -signal.SIGKILL
