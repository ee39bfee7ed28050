"""The node's folders: one agent in each, closed to others, and a sentence for what can not be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from meshnode.config.folders import AgentLock, Folders, lock_holder
from meshnode.errors import StartError


def test_folders_are_closed_to_others(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "state", tmp_path / "state" / "run")
    folders.make()
    assert stat.S_IMODE(folders.state.stat().st_mode) == 0o700
    assert stat.S_IMODE(folders.run.stat().st_mode) == 0o700


def test_a_second_agent_is_kept_out_and_told_who_is_first(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path)
    first = AgentLock(folders)
    first.take()
    assert lock_holder(folders) == os.getpid()
    with pytest.raises(StartError, match=rf"process {os.getpid()}\).*one machine runs one agent"):
        AgentLock(folders).take()
    first.release()
    assert lock_holder(folders) is None
    second = AgentLock(folders)
    second.take()
    second.release()


def test_nobody_holds_a_lock_that_was_never_made(tmp_path: Path) -> None:
    assert lock_holder(Folders(tmp_path, tmp_path)) is None


def test_a_socket_path_that_no_kernel_takes_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="too long for a Unix socket"):
        Folders(tmp_path, tmp_path / ("x" * 120)).make()


def test_a_folder_that_can_not_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="can not be made ours"):
        Folders(tmp_path / "file" / "state", tmp_path).make()
