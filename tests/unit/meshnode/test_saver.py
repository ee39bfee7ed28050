"""The saver: newest wins, and a disk that is full ends nothing."""

from __future__ import annotations

import asyncio
import stat
import threading
from pathlib import Path

from meshnode.agent.saver import Saver, write_private
from tests.support import wait_until


async def test_of_many_offers_the_newest_is_written() -> None:
    written: list[int] = []
    results: list[Exception | None] = []
    may_go = threading.Event()

    def first() -> None:
        may_go.wait(5)
        written.append(0)

    saver = Saver(lambda _, error: results.append(error), pause_share=0)
    task = asyncio.create_task(saver.run())
    saver.offer("table", first)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for number in range(1, 50):
        saver.offer("table", lambda n=number: written.append(n))  # type: ignore[misc]
    may_go.set()
    await wait_until(lambda: len(results) == 2)
    task.cancel()
    assert written == [0, 49]


async def test_a_burst_is_written_by_its_first_and_its_last() -> None:
    """The last at once when the agent ends, however soon that is."""
    written: list[str] = []
    saver = Saver(lambda *_: None, pause_share=1e9)
    task = asyncio.create_task(saver.run())
    saver.offer("table", lambda: written.append("first"))
    await wait_until(lambda: written)
    for name in ("second", "last"):
        saver.offer("table", lambda name=name: written.append(name))  # type: ignore[misc]
    saver.offer("ports", lambda: written.append("ports"))
    await wait_until(lambda: len(written) > 1)
    assert written == ["first", "ports"]
    task.cancel()
    await saver.flush()
    assert written == ["first", "ports", "last"]


async def test_a_write_that_fails_is_told_and_the_next_is_tried() -> None:
    results: list[str] = []
    saver = Saver(lambda name, error: results.append(f"{name}: {error}"))

    def full() -> None:
        raise OSError(28, "No space left on device")

    saver.offer("a", full)
    saver.offer("b", lambda: None)
    await saver.flush()
    assert results == ["a: [Errno 28] No space left on device", "b: None"]


async def test_what_failed_is_saved_once_there_is_room() -> None:
    """The newest of it, without a further change."""
    results: list[Exception | None] = []
    written: list[str] = []
    has_room = False

    def table(name: str) -> None:
        if not has_room:
            raise OSError(28, "No space left on device")
        written.append(name)

    saver = Saver(lambda _, error: results.append(error), retry_s=0.02)
    task = asyncio.create_task(saver.run())
    saver.offer("table", lambda: table("old"))
    await wait_until(lambda: len(results) >= 3)
    saver.offer("table", lambda: table("new"))
    before = len(results)
    await wait_until(lambda: len(results) >= before + 3)
    has_room = True
    await wait_until(lambda: written)
    await wait_until(lambda: results[-1] is None)
    task.cancel()
    assert written == ["new"]


def test_a_file_is_replaced_whole_and_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, b"old")
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["f"]
