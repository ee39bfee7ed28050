"""The demo's folder: one demo in it, fresh when it begins, and nobody else's files touched."""

import os
from pathlib import Path

import pytest

from meshnode.dev.folder import Folder, default_folder
from meshnode.errors import StartError

# A Unix socket's path has 107 bytes at most.
LONGEST_SOCKET_PATH = 107


def test_a_second_demo_is_told_who_runs(tmp_path: Path) -> None:
    first = Folder(tmp_path / "dev")
    first.take()
    with pytest.raises(StartError, match=f"runs already .process {os.getpid()}"):
        Folder(tmp_path / "dev").take()
    first.tell("process 7, edge http://127.0.0.1:8080")
    with pytest.raises(StartError, match=r"process 7, edge http://127\.0\.0\.1:8080.*--data DIR"):
        Folder(tmp_path / "dev").take()


def test_a_fresh_start_removes_what_a_demo_made_and_nothing_else(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make()
    for name in ("node-1/node.key", "logs/cart.log", "registry.db", "registry.db-wal", "mine.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (tmp_path / "node-2").symlink_to(tmp_path.parent)
    folder.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert tmp_path.parent.exists()


def test_sockets_lie_elsewhere_where_the_path_is_too_long(tmp_path: Path) -> None:
    assert Folder(Path("/home/a")).run == Path("/home/a/run")
    far = Folder(tmp_path / ("x" * 100))
    assert len(str(far.run / "node-9" / "proxy.sock")) <= LONGEST_SOCKET_PATH
    assert far.run == Folder(far.path).run != Folder(tmp_path / ("y" * 100)).run


def test_a_folder_that_can_not_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"can not be used .*--data"):
        Folder(tmp_path / "file" / "dev").take()


def test_the_usual_folder_is_the_users_own() -> None:
    assert default_folder({"HOME": "/home/a"}) == Path("/home/a/.local/state/meshnode/dev")
    assert default_folder({"HOME": "/home/a", "XDG_STATE_HOME": "/s"}) == Path("/s/meshnode/dev")
