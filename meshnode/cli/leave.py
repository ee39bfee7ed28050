"""`meshnode leave`: takes this machine's node out of the mesh for good, in Consul and on disk. Touches no other node."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from catalog import STATUS_PREFIX, ConsulAnswerError, ConsulClient, ConsulDenied, Instance
from certs import CA_PREFIX, OWN_FILES, key_file

from ..config import Folders, Settings
from ..errors import MeshnodeError, UsageError
from .nodes import EDGE_SERVICE, NODE_SERVICE
from .options import Asked, RunFolder, StateFolder, with_consul
from .output import say, say_json
from .reach import consul_client, run
from .stop import stop_node

# What the agent and the rooms keep in the state folder, and what they write beside it while they do (`.name.new`).
OWN_NAMES = (
    "node.key", "node.json", "snapshot.json", "policies.json", "ports.json", "edge-certificate.json", "session", "proxy.log", "agent.lock", "run", *OWN_FILES,
)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    app.command()(leave)


@dataclass(slots=True)
class Left:
    """What became of the node; `stays` says of each thing that is still there why."""

    node: str
    stopped: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    stays: list[str] = field(default_factory=list)


Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
ForgetKey = Annotated[
    bool,
    typer.Option(
        "--forget-key",
        help="Remove this machine's key-encryption key too, of which another signer has a copy.",
    ),
]


@with_consul
def leave(
    asked: Asked,
    *,
    yes: Yes = False,
    forget_key: ForgetKey = False,
    state_folder: StateFolder = None,
    run_folder: RunFolder = None,
) -> None:
    """Take this machine out of the mesh for good: end the node, deregister it, remove what it kept."""
    settings = asked.with_folders(state_folder, run_folder)
    left = run(_leave(settings, is_sure=yes, may_forget=forget_key))
    if asked.as_json:
        document = {"node": left.node, "stopped": left.stopped, "removed": left.removed}
        say_json({**document, "stays": left.stays})
        return
    if left.stopped:
        say(f"stopped: {', '.join(left.stopped)}")
    say(f"removed: {', '.join(left.removed)}")
    for sentence in left.stays:
        say(f"stays: {sentence}")
    say(f"{left.node} has left the mesh")


async def _leave(settings: Settings, *, is_sure: bool, may_forget: bool) -> Left:
    """Consul first: a node that could not be deregistered would be looked for by the others for ever."""
    async with consul_client(settings) as client:
        node = (await client.node_self()).node
        if await client.local_service(NODE_SERVICE) is None and not settings.state_folder.exists():
            raise MeshnodeError(
                f"{node} is no node of a mesh: nothing is registered here, and there is no {settings.state_folder}"
            )
        nodes = await client.instances(NODE_SERVICE)
        _check_folder(settings, node, nodes)
        others = [one.node for one in nodes if one.node != node]
        _check_key(settings, others, may_forget=may_forget)
        is_last = not others
        if not is_sure:
            _ask(node, settings, await _services(client, node))
        left = Left(node, await stop_node(settings))
        await _leave_consul(client, left, settings)
        if is_last and await client.kv_list(CA_PREFIX):
            left.stays.append(
                f"{CA_PREFIX} in Consul, the CA of a mesh that has no node now: "
                f"consul kv delete -recurse {CA_PREFIX} lets the next node begin anew"
            )
    _leave_disk(left, settings)
    return left


def _check_folder(settings: Settings, node: str, nodes: Sequence[Instance]) -> None:
    """An agent that lives, but in another folder, would be deregistered and go on running."""
    lives = any(one.node == node and one.status == "passing" for one in nodes)
    if lives and not Folders.of(settings).lock.exists():
        raise MeshnodeError(
            f"{node}'s agent runs, but not in {settings.state_folder}: name its folder by --state-folder "
            "(or its settings file by --config), so that it is ended too"
        )


def _check_key(settings: Settings, others: list[str], *, may_forget: bool) -> None:
    """The CA of the nodes that remain must not be lost with this machine's only copy of its key."""
    path = key_file(settings.state_folder, settings.certificates_key_encryption_key_file)
    if others and not may_forget and path.is_relative_to(settings.state_folder) and path.exists():
        raise MeshnodeError(
            f"{path} opens the mesh's CA, and would be removed: copy it to a node that stays (such as {others[0]}; see "
            "`meshnode join --print --signer`), then say --forget-key. Without any copy the mesh's CA is lost"
        )


async def _services(client: ConsulClient, node: str) -> list[str]:
    own = {"consul", NODE_SERVICE, EDGE_SERVICE}
    found = await client.services_on_node(node)
    return sorted({one.service for one in found if not one.kind} - own)


def _ask(node: str, settings: Settings, services: list[str]) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody is asked here: say --yes if this machine shall leave the mesh")
    say(f"{node} leaves the mesh: its agent and proxy end, and {settings.state_folder} is removed.")
    if services:
        say(
            f"Other nodes then call {', '.join(services)} on it without encryption, and no intention is enforced there."
        )
    if not typer.confirm("Go on?"):
        raise typer.Exit(1)


async def _leave_consul(client: ConsulClient, left: Left, settings: Settings) -> None:
    for service in (EDGE_SERVICE, NODE_SERVICE):
        if await client.local_service(service) is not None:
            await client.deregister_service(service)
            left.removed.append(f"registration of {service}")
    session = _session(Folders.of(settings).session)
    if session is not None:
        try:
            await client.session_destroy(session)
        except (ConsulDenied, ConsulAnswerError) as error:
            left.stays.append(f"the session {session}, for 30 s at most ({error})")
    await _remove(client, left, f"{STATUS_PREFIX}{left.node}")
    # The requests first: the signer takes the answers of those that are gone away by itself.
    await _remove(client, left, f"{CA_PREFIX}requests/{left.node}/")
    await _remove(client, left, f"{CA_PREFIX}answers/{left.node}/")


async def _remove(client: ConsulClient, left: Left, key: str) -> None:
    """One key, or all below a folder; what the token may not delete is told."""
    is_folder = key.endswith("/")
    there = await client.kv_list(key) if is_folder else [await client.kv_get(key)]
    if not any(there):
        return
    try:
        await client.kv_delete(key, recurse=is_folder)
    except ConsulDenied:
        left.stays.append(
            f"{key} in Consul, which this token may not delete: the signer removes it within ten minutes"
        )
    else:
        left.removed.append(key)


def _session(path: Path) -> str | None:
    """The id in the agent's file; None where there is none."""
    try:
        return str(UUID(path.read_text().strip()))
    except (OSError, ValueError):
        return None


def _leave_disk(left: Left, settings: Settings) -> None:
    """Removes what is ours by its name, and the folders if nothing else is in them."""
    folders = Folders.of(settings)
    if not folders.lock.exists():
        return  # no agent ever worked there: a folder named by mistake loses nothing
    folders.control_socket.unlink(missing_ok=True)
    for path in folders.state.iterdir():
        if path.name.lstrip(".").startswith(OWN_NAMES):
            _delete(path)
    for folder in (folders.run, folders.state):
        try:
            folder.rmdir()
            left.removed.append(str(folder))
        except FileNotFoundError:
            continue
        except OSError as error:
            left.stays.append(f"{folder} ({error.strerror})")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
