"""What goes wrong around the registry: killed while it writes, started twice, a full disk, ten thousand who wait, garbage."""

import asyncio
import contextlib
import os
import random
import resource
import socket
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract.subject import EmbeddedRegistry, index_of
from tests.support.ports import free_port
from tests.support.process import run, wait_until
from tests.support.tools import program_path

WAITING = 10_000
# Measured: 13 KiB each in the process, of which Python's HTTP server has the most.
MOST_BYTES_A_WAITER = 40 * 1024
HEAD = b"GET %s HTTP/1.1\r\nHost: registry\r\n\r\n"


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[EmbeddedRegistry]:
    async with EmbeddedRegistry(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedRegistry]:
    """One for the cases that leave nothing behind."""
    async with EmbeddedRegistry(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path, seed: int) -> None:
    """Eight write at once; the process is killed in the midst of it."""
    chance = random.Random(seed)
    written: dict[str, tuple[int, int]] = {}
    """By key the last value that was acknowledged, and the last that was sent."""
    async with EmbeddedRegistry(tmp_path) as registry:

        async def write(name: str) -> None:
            for number in range(100_000):
                written[name] = (written.get(name, (-1, -1))[0], number)
                await registry.put(name, str(number))
                written[name] = (number, number)

        writers = [asyncio.create_task(write(f"k{n}")) for n in range(8)]
        enough = chance.randint(20, 200)
        await wait_until(lambda: sum(done for done, _ in written.values()) > enough)
        registry.process.kill()
        await asyncio.gather(*writers, return_exceptions=True)
        await registry.start()
        for name, (done, sent) in written.items():
            found = int((await registry.call("GET", f"/v1/kv/{name}?raw")).text)
            assert done <= found <= sent, name


async def test_indexes_go_on_after_a_kill(registry: EmbeddedRegistry) -> None:
    await registry.put("a", "1")
    await registry.delete("a")
    index = index_of(await registry.call("GET", "/v1/kv/?keys"))
    registry.process.kill()
    await registry.start()
    assert index_of(await registry.call("GET", "/v1/kv/?keys")) == index
    await registry.put("b", "1")
    assert index_of(await registry.call("GET", "/v1/kv/b")) > index


async def test_sessions_outlive_a_restart(registry: EmbeddedRegistry) -> None:
    body = {"TTL": "600s", "LockDelay": "0s"}
    session = (await registry.api("PUT", "/v1/session/create", body=body))["ID"]
    await registry.api("PUT", f"/v1/kv/lock?acquire={session}", body="x")
    registry.process.kill()
    await registry.start()
    assert (await registry.api("GET", "/v1/kv/lock"))[0]["Session"] == session
    assert (await registry.api("PUT", f"/v1/session/renew/{session}"))[0]["ID"] == session


async def test_a_second_process_is_refused(registry: EmbeddedRegistry) -> None:
    listen = f"127.0.0.1:{free_port()}"
    words = ("registry", "--data", registry.data, "--listen", listen)
    refused = await run(program_path("meshnode"), *words, check=False)
    assert refused.code == 1
    pid = registry.data.with_name("registry.db.lock").read_text().strip()
    assert f"{registry.data} is in use by process {pid}: stop that registry first" in refused.stderr
    await registry.put("still", "here")


async def test_a_taken_port_is_named(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    words = ("registry", "--data", tmp_path / "other.db", "--listen", registry.http_address())
    refused = await run(program_path("meshnode"), *words, check=False)
    assert refused.code == 1
    assert f"{registry.http_address()} is taken by another program" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
async def test_a_full_disk_refuses_writes_and_reads_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    await run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk)
    try:
        async with EmbeddedRegistry(disk) as registry:
            await registry.put("kept", "x")
            await registry.register({"Name": "w", "Check": {"TTL": "2s", "Status": "passing"}})
            ballast = disk / "ballast"
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            refused = await registry.call("PUT", "/v1/kv/big", body=b"x" * 500_000)
            assert refused.status == 500
            assert "make room on that disk and try again" in refused.text
            assert (await registry.call("GET", "/v1/kv/kept?raw")).text == "x"
            await wait_until(lambda: "check service:w of node-1 found" in registry.process.output())
            ballast.unlink()
            await registry.put("again", "y")
            await wait_until(partial(_has_critical, registry), what="the check goes on")
            assert "Traceback" not in registry.process.output()
            registry.process.kill()
            await registry.start()
            assert (await registry.call("GET", "/v1/kv/again?raw")).text == "y"
            assert (await registry.call("GET", "/v1/kv/kept?raw")).text == "x"
    finally:
        await run("umount", disk)


async def test_ten_thousand_wait_and_those_concerned_wake(registry: EmbeddedRegistry) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = _memory_of(registry)
    with contextlib.ExitStack() as sockets:
        sockets.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        await registry.put("w/0", "0")
        index = index_of(await registry.call("GET", "/v1/kv/w/0"))
        waiting = [
            sockets.enter_context(_waiting(registry, f"/v1/kv/w/{number}?index=1000000&wait=10m"))
            for number in range(WAITING)
        ]
        concerned = sockets.enter_context(_waiting(registry, f"/v1/kv/w/0?index={index}&wait=10m"))
        await registry.call("GET", f"/v1/kv/w/0?index={index}&wait=50ms")
        each = (_memory_of(registry) - before) / WAITING
        await registry.put("w/0", "1")
        async with asyncio.timeout(30):
            answer = await asyncio.get_running_loop().sock_recv(concerned, 4096)
        assert answer.startswith(b"HTTP/1.1 200")
        assert not any(_has_answer(other) for other in waiting)
        print(f"{each / 1024:.1f} KiB a waiting query")  # noqa: T201  (for -rP)
        assert each < MOST_BYTES_A_WAITER

    async def is_served() -> bool:
        return (await registry.call("GET", "/v1/status/leader")).status == 200

    await wait_until(is_served)


async def test_it_ends_when_told_though_others_wait(registry: EmbeddedRegistry) -> None:
    with contextlib.ExitStack() as sockets:
        for number in range(100):
            path = f"/v1/kv/w/{number}?index=1000000&wait=10m"
            sockets.enter_context(_waiting(registry, path))
        await registry.put("last", "word")
        assert await registry.process.terminate() == 0
    assert "Traceback" not in registry.process.output()
    await registry.start()
    assert (await registry.call("GET", "/v1/kv/last?raw")).text == "word"


@pytest.mark.parametrize(
    "start",
    [
        b"GET /v1/kv/a",
        b"PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"GET /v1/kv/large?raw HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    ],
)
async def test_a_slow_client_holds_up_nobody(registry: EmbeddedRegistry, start: bytes) -> None:
    await registry.put("large", b"x" * 500_000)
    slow = [await _open(registry) for _ in range(50)]
    for _, writer in slow:
        writer.write(start)
    await registry.put("quick", "x")
    assert (await registry.call("GET", "/v1/kv/quick?raw")).text == "x"
    for _, writer in slow:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (path, body)
        for path in (
            "/v1/session/create",
            "/v1/txn",
            "/v1/agent/service/register",
            "/v1/agent/check/register",
            "/v1/catalog/register",
            "/v1/catalog/deregister",
            "/v1/connect/intentions/exact?source=a&destination=b",
            "/v1/config",
        )
        for body in (b"{", b"x", b"[" * 100_000, b"\xff\xfe", b'"text"', b"7", b'{"a":NaN}')
    ],
)
async def test_a_body_that_is_no_document_is_400(
    shared: EmbeddedRegistry, path: str, body: bytes
) -> None:
    assert (await shared.call("PUT", path, body=body)).status == 400


async def test_random_bytes_are_answered_or_closed(shared: EmbeddedRegistry) -> None:
    chance = random.Random(4)
    for _ in range(300):
        reader, writer = await _open(shared)
        start = chance.choice((b"", b"GET /v1/kv/", b"PUT /v1/txn HTTP/1.1\r\n"))
        writer.write(start + chance.randbytes(chance.randint(1, 2000)) + b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write_eof()
            async with asyncio.timeout(30):
                await reader.read()
        writer.close()
    await shared.put("well", "x")
    assert "Traceback" not in shared.process.output()


@pytest.mark.parametrize(
    "start",
    [
        b"GET /v1/kv/gone?index=1000000&wait=10m HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/kv/gone?raw HTTP/1.1\r\nHost: x\r\n\r\n" * 20,
        b"PUT /v1/kv/gone HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"PUT /v1/kv/gone HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhalf",
    ],
)
async def test_who_goes_away_leaves_no_word_in_the_log(
    shared: EmbeddedRegistry, start: bytes
) -> None:
    """While the answer is on its way, and in the midst of a body."""
    for number in range(10):
        clients = [await _open(shared) for _ in range(50)]
        for _, writer in clients:
            writer.write(start)
        change = asyncio.create_task(shared.put("gone", str(number) * 100_000))
        for _, writer in clients:
            writer.transport.abort()
        await change
    lines = shared.process.output().splitlines()
    assert not [line for line in lines if "ERROR" in line or "Traceback" in line]


async def test_what_is_not_there_is_501_by_name(shared: EmbeddedRegistry) -> None:
    answer = await shared.call("GET", "/v1/acl/tokens")
    assert answer.status == 501
    assert answer.text.startswith("/v1/acl/tokens is not in the embedded registry: it has KV")
    assert "use a real Consul" in answer.text


async def _has_critical(registry: EmbeddedRegistry) -> bool:
    return bool(await registry.api("GET", "/v1/health/state/critical"))


def _memory_of(registry: EmbeddedRegistry) -> int:
    """Resident bytes of the process."""
    lock = registry.data.with_name("registry.db.lock")
    lines = Path(f"/proc/{lock.read_text().strip()}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def _open(
    registry: EmbeddedRegistry,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", registry.port)


def _waiting(registry: EmbeddedRegistry, path: str) -> socket.socket:
    """A connection with one question on it."""
    connection = socket.create_connection(("127.0.0.1", registry.port))
    connection.sendall(HEAD % path.encode())
    connection.settimeout(0)
    return connection


def _has_answer(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
