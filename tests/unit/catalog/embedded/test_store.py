"""The registry's file: writes at their own index, taken back alone, and who is woken by them."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from catalog.embedded import RegistryError
from catalog.embedded.errors import Refused
from catalog.embedded.store import Store, Writer


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "deep" / "registry.db", lambda: 1000.0)
    made.open()
    yield made
    await made.close()


def index_of(store: Store, name: str) -> int:
    return store.read(lambda reader: reader.index_of(name))


async def test_each_write_has_a_larger_index(store: Store) -> None:
    indexes: list[int] = []

    def change(writer: Writer) -> None:
        writer.bump("a")
        indexes.append(writer.index)

    await asyncio.gather(*(store.write(change) for _ in range(20)))
    assert indexes == sorted(set(indexes))
    assert index_of(store, "a") == indexes[-1]


async def test_a_write_that_changes_nothing_takes_no_index(store: Store) -> None:
    before = await store.write(lambda writer: writer.index)
    assert await store.write(lambda writer: writer.index) == before


async def test_a_refused_write_is_taken_back_alone(store: Store) -> None:
    def refused(writer: Writer) -> None:
        writer.bump("refused")
        raise Refused(400, "no")

    done = await asyncio.gather(
        store.write(lambda writer: writer.bump("before")),
        store.write(refused),
        store.write(lambda writer: writer.bump("after")),
        return_exceptions=True,
    )
    assert [type(one) for one in done] == [type(None), Refused, type(None)]
    assert index_of(store, "refused") == 0
    assert 0 < index_of(store, "before") < index_of(store, "after")


async def test_a_write_wakes_those_that_wait_for_it(store: Store) -> None:
    concerned = asyncio.create_task(store.topics.wait(("a", "b"), 60))
    other = asyncio.create_task(store.topics.wait(("c",), 60))
    await asyncio.sleep(0)
    await store.write(lambda writer: writer.bump("b"))
    assert await concerned
    assert not other.done()
    other.cancel()


async def test_a_refused_write_wakes_nobody(store: Store) -> None:
    def refused(writer: Writer) -> None:
        writer.bump("a")
        raise Refused(400, "no")

    waiting = asyncio.create_task(store.topics.wait(("a",), 60))
    await asyncio.sleep(0)
    with pytest.raises(Refused):
        await store.write(refused)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_waiting_ends_by_itself_and_leaves_nothing(store: Store) -> None:
    assert not await store.topics.wait(("a",), 0)
    assert not store.topics._waiting


async def test_what_was_written_is_there_after_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    first = Store(path, lambda: 0.0)
    first.open()
    await first.write(lambda writer: writer.bump("a"))
    index = index_of(first, "a")
    await first.close()
    again = Store(path, lambda: 0.0)
    again.open()
    assert index_of(again, "a") == index
    await again.write(lambda writer: writer.bump("a"))
    assert index_of(again, "a") == index + 1
    await again.close()


async def test_the_file_is_its_owners_alone(store: Store) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in store._path.parent.iterdir()}
    assert modes == {0o600}


async def test_a_second_store_on_the_file_is_refused(store: Store) -> None:
    with pytest.raises(RegistryError, match=r"is in use by process \d+: stop that registry first"):
        Store(store._path, lambda: 0.0).open()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x00" * 5000])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(content)
    with pytest.raises(RegistryError, match="can not be opened"):
        Store(path, lambda: 0.0).open()
    assert path.read_bytes() == content


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    store = Store(path, lambda: 0.0)
    store.open()
    store._writing.execute("PRAGMA user_version = 999")
    await store.close()
    with pytest.raises(RegistryError, match="written by a newer meshnode"):
        Store(path, lambda: 0.0).open()


async def test_a_fault_in_the_writers_thread_is_told_and_holds_up_nobody(store: Store) -> None:
    whole, store._writing = store._writing, None  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(AttributeError):
            async with asyncio.timeout(30):
                await store.write(lambda writer: writer.bump("things"))
    store._writing = whole
    await store.write(lambda writer: writer.bump("things"))
    assert store.read(lambda reader: reader.index_of("things")) == 2
