"""The node's own folders and files: their names, their modes, and the lock that keeps a second agent out.

Knows where things lie; reads and writes none of them but the lock.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import StartError
from .settings import Settings

# sun_path of a Unix socket's address, its ending NUL included.
SOCKET_PATH_BYTES = 108


@dataclass(frozen=True, slots=True)
class Folders:
    """`state` outlives a reboot and is the user's alone (keys lie there), `run` holds sockets."""

    state: Path
    run: Path

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.state_folder, settings.run_folder)

    @property
    def node_key(self) -> Path:
        return self.state / "node.key"

    @property
    def me(self) -> Path:
        """Who this node is to Consul, for a start without it."""
        return self.state / "node.json"

    @property
    def snapshot(self) -> Path:
        return self.state / "snapshot.json"

    @property
    def ports(self) -> Path:
        return self.state / "ports.json"

    @property
    def policies(self) -> Path:
        return self.state / "policies.json"

    @property
    def edge_certificate(self) -> Path:
        """What the edge shows while it has no other certificate, with its key."""
        return self.state / "edge-certificate.json"

    @property
    def session(self) -> Path:
        return self.state / "session"

    @property
    def proxy_log(self) -> Path:
        return self.state / "proxy.log"

    @property
    def control_socket(self) -> Path:
        return self.run / "proxy.sock"

    @property
    def lock(self) -> Path:
        return self.state / "agent.lock"

    def make(self) -> None:
        """Makes both, closed to others. Raises StartError with what to do."""
        for folder in (self.state, self.run):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
            except OSError as error:
                raise StartError(
                    f"the folder {folder} can not be made ours ({error.strerror}): make it writable "
                    "for this user, or name another (state_folder, run_folder)"
                ) from error
        if words := self.too_long():
            raise StartError(words)

    def too_long(self) -> str | None:
        """A sentence when the control socket's path is longer than the kernel takes."""
        if len(os.fsencode(self.control_socket)) < SOCKET_PATH_BYTES:
            return None
        return (
            f"{self.control_socket} is too long for a Unix socket ({SOCKET_PATH_BYTES - 1} bytes "
            "at most): name a shorter run_folder"
        )


class AgentLock:
    """Held while an agent runs; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, folders: Folders) -> None:
        self._path = folders.lock
        self._folder = folders.state
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises StartError when another agent has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "?"
            os.close(descriptor)
            raise StartError(
                f"another agent (process {holder}) works in {self._folder}: one machine runs one "
                "agent; stop that one (meshnode stop), or give this one its own state_folder and ports"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def lock_holder(folders: Folders) -> int | None:
    """The process id of the agent that runs in these folders; None when none does."""
    try:
        descriptor = os.open(folders.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode(errors="replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
