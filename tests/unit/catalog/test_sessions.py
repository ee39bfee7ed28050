import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson
import pytest

from catalog.client import ConsulClient
from catalog.errors import CatalogError
from catalog.sessions import SessionKeeper
from catalog.status import NodeStatus
from catalog.status_writer import StatusWriter
from tests.support import wait_until
from tests.support.fake_consul import FakeConsul, Scripted

NAME = "meshnode sha256:00"
OLD, NEW = "adf4238a-882b-9ddc-4a9d-5b6758e4159e", "adf4238a-882b-9ddc-4a9d-5b6758e4159f"


def info(session_id: str = OLD, name: str = NAME, node: str = "node-1") -> bytes:
    document = {"ID": session_id, "Name": name, "Node": node, "TTL": "15s", "Behavior": "delete"}
    return orjson.dumps([document])


@asynccontextmanager
async def keeping(
    fake: FakeConsul, path: Path, troubles: list[CatalogError | None] | None = None
) -> AsyncIterator[tuple[SessionKeeper, StatusWriter]]:
    told = [] if troubles is None else troubles
    async with ConsulClient(fake.address) as client:
        jitter = random.Random(1)
        keeper = SessionKeeper(
            client, name=NAME, node="node-1", path=path, on_trouble=told.append, jitter=jitter
        )
        writer = StatusWriter(
            client,
            keeper,
            "node-1",
            public_key="key",
            sign=lambda _: "signature",
            on_trouble=told.append,
            jitter=jitter,
        )
        tasks = [asyncio.create_task(keeper.run()), asyncio.create_task(writer.run())]
        try:
            yield keeper, writer
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def can_create(fake: FakeConsul, session_id: str = NEW) -> None:
    fake.script("/v1/session/create", Scripted(body=orjson.dumps({"ID": session_id})))


async def test_a_session_is_made_once_and_found_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "session"
    async with FakeConsul() as fake:
        can_create(fake, OLD)
        async with keeping(fake, path) as (keeper, _):
            await wait_until(lambda: keeper.id == OLD, 30)
        fake.script(f"/v1/session/info/{OLD}", Scripted(body=info()))
        fake.script(f"/v1/session/renew/{OLD}", Scripted(body=info()))
        async with keeping(fake, path) as (keeper, _):
            await wait_until(lambda: keeper.id == OLD, 30)
        assert fake.requests["/v1/session/create"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        Scripted(body=b"[]"),
        Scripted(body=info(name="meshnode sha256:of another key")),
        Scripted(body=info(node="node-2")),
    ],
)
async def test_a_session_that_is_not_ours_any_more_is_made_anew(
    tmp_path: Path, answer: Scripted
) -> None:
    path = tmp_path / "session"
    path.write_text(OLD)
    async with FakeConsul() as fake:
        fake.script(f"/v1/session/info/{OLD}", answer)
        can_create(fake)
        async with keeping(fake, path) as (keeper, _):
            await wait_until(lambda: keeper.id == NEW, 30)
        assert path.read_text().strip() == NEW


@pytest.mark.parametrize("kept", [b"", b"\xff\xfe", b"not an id", b"../../etc/passwd", b"x" * 9999])
async def test_a_file_that_holds_no_id_is_as_good_as_none(tmp_path: Path, kept: bytes) -> None:
    path = tmp_path / "session"
    path.write_bytes(kept)
    async with FakeConsul() as fake:
        can_create(fake)
        async with keeping(fake, path) as (keeper, _):
            await wait_until(lambda: keeper.id == NEW, 30)


async def test_a_file_that_cannot_be_written_costs_no_session(tmp_path: Path) -> None:
    async with FakeConsul() as fake:
        can_create(fake)
        async with keeping(fake, tmp_path / "no such folder" / "session") as (keeper, _):
            await wait_until(lambda: keeper.id == NEW, 30)


async def test_a_refusal_is_told_until_it_is_over(tmp_path: Path) -> None:
    troubles: list[CatalogError | None] = []
    said = b"Permission denied: lacks permission 'session:write' on \"node-1\""
    async with FakeConsul() as fake:
        fake.script("/v1/session/create", *[Scripted(status=403, body=said)] * 3)
        can_create(fake)
        async with keeping(fake, tmp_path / "session", troubles) as (keeper, _):
            await wait_until(lambda: keeper.id == NEW and len(troubles) == 2, 30)
    assert 'session "node-1" { policy = "write" }' in str(troubles[0])
    assert troubles[1] is None


async def test_a_key_another_session_holds_is_told(tmp_path: Path) -> None:
    troubles: list[CatalogError | None] = []
    async with FakeConsul() as fake:
        can_create(fake)
        fake.script("/v1/kv/meshnode/status/node-1", *[Scripted(body=b"false")] * 2)
        fake.script(f"/v1/session/renew/{NEW}", *[Scripted(body=info(NEW))] * 2)
        async with keeping(fake, tmp_path / "session", troubles) as (_, writer):
            writer.offer(NodeStatus("node-1", 1, 1, "sha256:x"))
            await wait_until(lambda: writer.writes == 1, 30)
    assert "does a second agent run for this node?" in str(troubles[0])


async def test_the_session_is_made_as_the_signer_demands_it(tmp_path: Path) -> None:
    async with FakeConsul() as fake:
        can_create(fake)
        async with keeping(fake, tmp_path / "session") as (keeper, _):
            await wait_until(lambda: keeper.id, 30)
        [body] = fake.bodies["/v1/session/create"]
    assert orjson.loads(body) == {
        "name": NAME,
        "node": "node-1",
        "checks": [],
        "lockdelay": "0s",
        "behavior": "delete",
        "ttl": "15s",
    }
