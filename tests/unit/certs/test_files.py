"""Private files: whole or not at all, and a damaged one is known."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.canonical import MAX_DOCUMENT_BYTES
from certs.errors import PrivateFileError
from certs.files import create_private, read_checked, read_private, with_checksum, write_private


def test_what_was_written_is_read_and_private(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    old_mask = os.umask(0)
    try:
        write_private(path, b"one")
        write_private(path, b"two")
    finally:
        os.umask(old_mask)
    assert read_private(path) == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path], "nothing temporary is left"


def test_a_file_that_is_there_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_private(path, b"first")
    assert not create_private(path, b"second")
    assert read_private(path) == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_is_none(tmp_path: Path) -> None:
    assert read_private(tmp_path / "none") is None
    assert read_checked(tmp_path / "none") is None


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_private(path, b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PrivateFileError, match="No space left"):
        write_private(path, b"new")
    assert read_private(path) == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_far_too_long_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"x" * (2 * MAX_DOCUMENT_BYTES + 1))
    with pytest.raises(PrivateFileError, match="longer than"):
        read_private(path)


@given(cut=st.integers(min_value=0, max_value=80), flip=st.integers(min_value=0, max_value=80))
def test_any_damage_is_known(tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int) -> None:
    path = tmp_path_factory.mktemp("damage") / "file"
    whole = with_checksum({"secret": "value", "number": 1})
    assert len(whole) > 81
    for damaged in (whole[:cut], whole[:flip] + bytes([whole[flip] ^ 1]) + whole[flip + 1 :]):
        write_private(path, damaged or b" ")
        with pytest.raises(PrivateFileError, match="damaged"):
            read_checked(path)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, with_checksum({"b": 1, "a": "ü"}))
    assert read_checked(path) == {"a": "ü", "b": 1}
