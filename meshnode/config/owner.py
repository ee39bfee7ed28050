"""As root, to act as the user a node runs as: its private files and its control socket answer that user alone."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_owner(folder: Path) -> Iterator[None]:
    """What follows is done as the user the folder belongs to; nothing changes unless root asks, or it is not there."""
    owner = folder.stat() if os.geteuid() == 0 and folder.exists() else None
    if owner is None or owner.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def give(path: Path, user: pwd.struct_passwd | None) -> None:
    """Makes the user own the path; None leaves it as it is."""
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
