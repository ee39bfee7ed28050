"""What this machine has to say against settings: addresses, ports, files, folders, limits. Changes nothing."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import MeshnodeError
from .collisions import collisions, listeners_of
from .folders import Folders, lock_holder
from .listening import try_address
from .places import Mistake, Place
from .read import Examined
from .settings import Settings

# The proxy's own limit; each connection takes two handles, and the rest of them is for listeners, pools and itself.
CONNECTIONS = 50_000
OWN_HANDLES = 500
HANDLES_NEEDED = 2 * CONNECTIONS + OWN_HANDLES
# With fewer a proxy of many cores and services has none left for anybody's connection.
HANDLES_LEAST = 1024
LIMIT_PLACE = Place("default", "this machine")


def examine_machine(examined: Examined) -> tuple[Mistake, ...]:
    """All that stands in the way of a start with these settings here; none where they are wrong already."""
    settings = examined.settings
    if settings is None:
        return ()
    found = [*collisions(settings), *_addresses(settings), *_files(settings), *_folders(settings)]
    mistakes = [Mistake(examined.place(name), f"{name}: {words}") for name, words in found]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (*mistakes, *_secret_in_the_open(examined), *few_handles(hard))


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    is_ours = _is_running(settings)
    for one in listeners_of(settings):
        if one.setting == "outbound.ports":
            continue
        host = f"[{one.host}]" if ":" in one.host else one.host
        address = f"{host}:{one.ports[0]}"
        words = try_address(one.what, one.setting, address, may_be_taken=is_ours)
        if words is not None:
            yield one.setting, words


def _is_running(settings: Settings) -> bool:
    """Whether this node runs already, or its proxy alone: the ports are taken by itself then."""
    folders = Folders.of(settings)
    try:
        return lock_holder(folders) is not None or folders.control_socket.is_socket()
    except OSError:
        return False


def _files(settings: Settings) -> Iterator[tuple[str, str]]:
    token = settings.consul_token_file
    if token is not None and (words := _unreadable(token, secret_from=0o007)):
        yield "consul.token_file", words
    key = settings.certificates_key_encryption_key_file
    if key is not None and key.exists() and (words := _unreadable(key, secret_from=0o077)):
        yield "certificates.key_encryption_key_file", words
    if key is not None and not key.parent.is_dir():
        yield "certificates.key_encryption_key_file", f"there is no folder {key.parent}: make it"
    if words := _no_proxy(settings.proxy_binary):
        yield "proxy.binary", words


def _unreadable(path: Path, *, secret_from: int) -> str | None:
    """What is wrong with a secret file; `secret_from` are the mode's bits that must not be set."""
    try:
        status = path.stat()
        with path.open("rb"):
            pass
    except OSError as error:
        return f"{path} can not be read ({error.strerror})"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is not a file"
    if status.st_mode & secret_from:
        mode = stat.S_IMODE(status.st_mode)
        return f"{path} can be read by others (mode {mode:04o}): run chmod 600 {path}"
    return None


def _no_proxy(named: Path | None) -> str | None:
    from ..proxy.process import find_binary

    try:
        find_binary(named)
    except MeshnodeError as error:
        return str(error)
    return None


def _folders(settings: Settings) -> Iterator[tuple[str, str]]:
    folders = Folders.of(settings)
    if words := folders.too_long():
        yield "run_folder", words
    named = [("state_folder", folders.state)]
    if not folders.run.is_relative_to(folders.state):
        named.append(("run_folder", folders.run))
    for name, folder in named:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not there.is_dir():
            yield name, f"{there} is no folder"
        elif folder == there and folder.stat().st_uid not in (os.geteuid(), 0):
            yield name, f"{folder} belongs to user id {folder.stat().st_uid}: run this as that user"
        elif not os.access(there, os.W_OK | os.X_OK):
            yield name, f"{folder} can not be made ours: {there} is not writable for this user"


def _secret_in_the_open(examined: Examined) -> Iterator[Mistake]:
    """A token in a settings file that others may read."""
    source = examined.sources["consul.token"]
    if source.place.origin == "file" and Path(source.place.name).stat().st_mode & 0o077:
        yield Mistake(
            source.place,
            f"consul.token: others may read it here: run chmod 600 {source.place.name}, or use consul.token_file",
        )


def few_handles(hard: int) -> Iterator[Mistake]:
    """A shell's usual limit is enough to try a mesh out, and not for a busy one: said, but no hindrance."""
    if hard != resource.RLIM_INFINITY and hard < HANDLES_NEEDED:
        yield Mistake(
            LIMIT_PLACE,
            f"the limit of open files is {hard:,}, enough for some {max(0, hard - OWN_HANDLES) // 2:,} connections; "
            f"for all {CONNECTIONS:,} a proxy takes it is {HANDLES_NEEDED:,} (systemd: LimitNOFILE; a shell, as root: ulimit -n)",
            is_warning=hard >= HANDLES_LEAST,
        )
