"""Private files: read only while nobody else can read them, written whole or not at all. Knows not what they hold."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .canonical import MAX_DOCUMENT_BYTES, canonical, parse_object, sha256
from .errors import DocumentError, PrivateFileError

PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700
# A body of MAX_DOCUMENT_BYTES and its checksum; a larger file is none of ours.
MAX_FILE_BYTES = 2 * MAX_DOCUMENT_BYTES


def read_private(path: Path) -> bytes | None:
    """The content, None when there is no such file.

    Raises PrivateFileError when others may read or own it, when it is no file, empty or far too long, or when it
    cannot be read.
    """
    try:
        # Not blocking: a pipe in the file's place would hold the whole node at start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PrivateFileError(path, f"cannot be read: {error.strerror}") from error
    try:
        _check_private(path, os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PrivateFileError(path, f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if not data:
        raise PrivateFileError(path, "is empty: it was only half written; remove it")
    if len(data) > MAX_FILE_BYTES:
        raise PrivateFileError(path, f"is longer than {MAX_FILE_BYTES} bytes: it is none of ours")
    return data


def write_private(path: Path, data: bytes) -> None:
    """Replaces the file at once, mode 0600, through to the disk. Raises PrivateFileError, the old one then staying."""
    with _written_beside(path, data) as temporary:
        temporary.replace(path)


def create_private(path: Path, data: bytes) -> bool:
    """Like `write_private`, but False, and nothing written, when the file is there already."""
    with _written_beside(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
    return True


def remove(path: Path) -> None:
    """Removes the file; one that is gone already is fine. Raises PrivateFileError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PrivateFileError(path, f"cannot be removed: {error.strerror}") from error


def rename(path: Path, to: Path) -> None:
    """Gives the file another name in its folder, through to the disk. Raises PrivateFileError."""
    try:
        path.rename(to)
        _sync_folder(to.parent)
    except OSError as error:
        raise PrivateFileError(path, f"cannot be renamed to {to.name}: {error.strerror}") from error


def with_checksum(body: Mapping[str, Any]) -> bytes:
    """The body as JSON with a checksum over it, so that a half-written file is known as one."""
    return canonical({"body": dict(body), "sha256": sha256(canonical(body))}) + b"\n"


def read_checked(path: Path) -> dict[str, Any] | None:
    """The body of a file that `with_checksum` made, None when there is no file. Raises PrivateFileError."""
    data = read_private(path)
    return None if data is None else checked_body(path, data)


def checked_body(path: Path, data: bytes) -> dict[str, Any]:
    """The body of what `with_checksum` made; `path` is where the data came from. Raises PrivateFileError."""
    try:
        document = parse_object(data)
    except DocumentError as error:
        raise PrivateFileError(path, f"is damaged: {error}") from error
    body = document.get("body")
    if not isinstance(body, dict) or document.get("sha256") != sha256(canonical(body)):
        raise PrivateFileError(path, "is damaged: its checksum is wrong")
    return body


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PrivateFileError(path, "is not a file")
    if status.st_uid != os.geteuid():
        raise PrivateFileError(
            path, f"belongs to user id {status.st_uid}, not to us: run chown {os.geteuid()} {path}"
        )
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise PrivateFileError(
            path, f"can be read by others (mode {mode:04o}): run chmod 600 {path}"
        )


@contextlib.contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """A temporary file in the same folder with all of `data` on the disk; gone at the end unless it was moved."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        # mkstemp makes it 0600 whatever the umask.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with open(descriptor, "wb") as file:  # noqa: PTH123  (mkstemp's descriptor)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
        _sync_folder(path.parent)
    except OSError as error:
        raise PrivateFileError(path, f"cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes the new name itself last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
