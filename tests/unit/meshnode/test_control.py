"""The control client against the fake proxy on a real socket."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from meshnode.errors import BaseNotInForce, ProxyRefused, ProxyUnreachable
from meshnode.proxy import Command, ControlClient, ProxyProcess, SpanCollector, listening_peer
from tests.support import Process, wait_until

from .conftest import MakeCommand


def document(host: str = "a.test", *, base: str | None = None, digest: str = "d1") -> bytes:
    resources = {
        "routes": {"r.x": {"hosts": [host]}},
        "listeners": {"edge": {"identity": "edge", "address": "1"}},
    }
    body: dict[str, Any] = {"schema": 1, "generation": 1, "digest": digest}
    if base is None:
        return orjson.dumps({**body, "kind": "full", "resources": resources})
    return orjson.dumps({**body, "kind": "delta", "base": base, "set": resources, "remove": {}})


@pytest.fixture
async def proxy(make_command: MakeCommand) -> AsyncIterator[ControlClient]:
    command = make_command()
    process = ProxyProcess.start(command)
    async with ControlClient(command.control_socket) as client:
        await wait_until(lambda: _answers(client))
        yield client
    process.kill()
    await process.ended()
    process.close()


async def test_version_snapshot_identity_and_stats(proxy: ControlClient) -> None:
    assert (await proxy.version()).digest is None
    answer = await proxy.put_snapshot(document())
    assert (answer.generation, answer.digest, answer.listeners[0].state) == (1, "d1", "waiting")
    await proxy.put_identity("edge", {"not_after_unix_s": 5})
    assert [one.state for one in await proxy.listeners()] == ["open"]
    assert (await proxy.version()).identities == ("edge",)
    await proxy.delete_identity("edge")
    assert orjson.loads(await proxy.snapshot())["digest"] == "d1"


async def test_a_delta_from_another_table_is_told_apart(proxy: ControlClient) -> None:
    await proxy.put_snapshot(document())
    with pytest.raises(BaseNotInForce) as raised:
        await proxy.put_snapshot(document(base="other", digest="d2"))
    assert raised.value.digest == "d1"


async def test_a_refusal_carries_its_path(proxy: ControlClient) -> None:
    with pytest.raises(ProxyRefused) as raised:
        await proxy.put_snapshot(document("refused.test"))
    assert (raised.value.status, raised.value.path) == (422, "routes.r.x.host")


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    async with ControlClient(tmp_path / "none.sock") as client:
        with pytest.raises(ProxyUnreachable, match="is the agent running"):
            await client.version()


async def test_a_proxy_that_hangs_is_unreachable_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        async with ControlClient(tmp_path / "s", timeout_s=0.1) as client:
            with pytest.raises(ProxyUnreachable, match="no answer in time"):
                await client.version()


async def test_another_program_on_the_socket_is_no_proxy(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_get("/v1/version", _hello)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "s")).start()
    async with ControlClient(tmp_path / "s") as client:
        with pytest.raises(ProxyUnreachable, match="no meshnode-proxy of ours"):
            await client.version()
    await runner.cleanup()


STRANGER = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
s.listen()
while True:
    c, _ = s.accept()
    got = c.recv(9)
    open(sys.argv[1] + ".got", "ab").write(got or b"nothing")
    c.close()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
def test_a_strangers_socket_gets_not_a_byte(tmp_path: Path) -> None:
    """As user 65534 we must not speak to a socket that user 1234 made, though its mode would let us."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        socket_path = Path(folder) / "s"
        command = ["/usr/bin/python3", "-c", STRANGER, str(socket_path)]
        with Process("stranger", command, folder=tmp_path, uid=1234):
            asyncio.run(wait_until(socket_path.exists))
            pid = os.fork()
            if pid == 0:  # a child that is nobody, and ends without pytest's own end
                os.setuid(65534)
                os._exit(asyncio.run(_is_refused(socket_path)))
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
            got = socket_path.with_name("s.got")
            asyncio.run(wait_until(lambda: got.exists() and got.read_bytes()))
            assert got.read_bytes() == b"nothing"


async def _is_refused(path: Path) -> int:
    async with ControlClient(path) as client:
        try:
            await client.put_identity("x", {"private_key_pem": "secret"})
        except ProxyUnreachable as error:
            return 0 if "belongs to user 1234" in str(error) else 2
    return 1


async def test_the_kernel_names_who_listens(make_command: MakeCommand) -> None:
    command: Command = make_command()
    process = ProxyProcess.start(command)
    peer = await wait_until(lambda: listening_peer(str(command.control_socket), 1.0))
    assert peer.pid == process.pid
    process.kill()
    await process.ended()
    assert process.code == -9
    process.close()


async def test_span_batches_are_handed_on_as_they_are(proxy: ControlClient, tmp_path: Path) -> None:
    got: list[tuple[bytes, int]] = []
    collector = SpanCollector(tmp_path / "p.sock", lambda body, spans: got.append((body, spans)))
    task = asyncio.create_task(collector.run())
    await proxy.put_snapshot(
        orjson.dumps(
            {
                "kind": "full",
                "generation": 1,
                "digest": "d",
                "resources": {"routes": {"spans": {"hosts": ["7.test"]}}},
            }
        )
    )
    await wait_until(lambda: bool(got))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert got[0] == (b"sssssss", 3)


async def _answers(client: ControlClient) -> bool:
    try:
        return bool(await client.version())
    except ProxyUnreachable:
        return False


async def _hello(_: web.Request) -> web.Response:
    return web.json_response(["hello"])
