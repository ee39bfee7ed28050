"""Where a demo keeps its files, and the lock that says it runs. One folder, one demo.

Removes only what a demo made, and only while it has the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..config.folders import SOCKET_PATH_BYTES
from ..errors import StartError

LOCK = "dev.lock"
# What a demo makes in its folder and does without the next time; nothing else is ever removed from it.
OURS = ("node-*", "registry.db*", "logs", "run")
LONGEST_SOCKET = "run/node-9/proxy.sock"
# The lock's text is a few words.
LOCK_LIMIT_BYTES = 1000


def default_folder(environment: Mapping[str, str]) -> Path:
    """The user's own, also root's: a demo is no service of the machine."""
    base = environment.get("XDG_STATE_HOME")
    home = Path(environment.get("HOME") or tempfile.gettempdir())
    return (Path(base) if base else home / ".local" / "state").absolute() / "meshnode" / "dev"


class Folder:
    """A demo's folder, locked from `take` on until the process and all it forked have ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.registry = path / "registry.db"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises StartError if a demo runs in it, or if it can not be made."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartError(
                f"the folder {self.path} can not be used ({error.strerror}): name another by --data"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            running = os.read(descriptor, LOCK_LIMIT_BYTES).decode(errors="replace").strip()
            os.close(descriptor)
            raise StartError(
                f"a demo runs already ({running or 'it is starting'}): end it by Ctrl-C there, or start "
                "another beside it in a folder of its own (--data DIR)"
            ) from None
        self._descriptor = descriptor
        self.tell(f"process {os.getpid()}")

    def tell(self, text: str) -> None:
        """What the next one is told who finds the folder taken."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode()[:LOCK_LIMIT_BYTES], 0)

    def clear(self) -> None:
        """Removes what an earlier demo left."""
        for pattern in OURS:
            for path in self.path.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
        shutil.rmtree(self.run, ignore_errors=True)

    def end(self) -> None:
        """Leaves no folder of sockets behind; keys and logs stay."""
        shutil.rmtree(self.run, ignore_errors=True)

    def make(self) -> None:
        self.logs.mkdir(mode=0o700, exist_ok=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        if self.run.stat().st_uid != os.getuid():
            raise StartError(
                f"{self.run} is another user's: name a folder with a shorter path by --data"
            )

    @property
    def run(self) -> Path:
        """For sockets. In the folder; where its path is too long for a socket's, always the same one elsewhere."""
        inside = self.path / "run"
        if len(os.fsencode(self.path / LONGEST_SOCKET)) < SOCKET_PATH_BYTES:
            return inside
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"meshnode-dev-{name}"

    def node(self, name: str) -> Path:
        return self.path / name

    def node_run(self, name: str) -> Path:
        return self.run / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
