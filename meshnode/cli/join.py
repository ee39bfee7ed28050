"""`meshnode join`: on a node that stands, prints what a new machine needs; there, checks it all and writes its settings."""

from __future__ import annotations

import dataclasses
import os
import pwd
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Folders, Given, Settings, examine_settings, read_settings
from ..config.door import door
from ..config.owner import as_owner
from ..config.read import DEFAULT_FILE
from ..errors import EXIT_NOT_REACHED, EXIT_REFUSED, MeshnodeError, UsageError
from .options import Json, with_all_settings
from .output import say, say_json
from .reach import consul_client, run, token_of

if TYPE_CHECKING:
    from ..join import Checked, Invitation, Joining, Written

# The user of packaging/meshnode.service.
SERVICE_USER = "meshnode"
STDIN = Path("-")
# A key's file has some 200 bytes.
KEY_LIMIT_BYTES = 65_536


def add_to(app: typer.Typer) -> None:
    app.command()(join)


@with_all_settings
def join(
    given: Given,
    *,
    show: Annotated[bool, typer.Option("--print", help="On a node that stands: print what a new machine needs. Never the token or a key.")] = False,
    key: Annotated[Path | None, typer.Option("--key-encryption-key", metavar="FILE", help="A copy of a signer's ca-key-encryption-key.json; - reads it from standard input.", show_default=False)] = None,
    user: Annotated[str | None, typer.Option("--user", help="The user the node will run as, who gets the secrets' files; left out: meshnode, if root asks and there is such a user.", show_default=False)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a settings file that is there.")] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Make this machine a node of a mesh that stands: check all it needs, and write its settings file."""
    if show:
        is_signer = given.flags.get("certificates_signer") is True
        _print(read_settings(given), is_signer=is_signer, as_json=as_json)
        return
    given = dataclasses.replace(given, may_lack_file=True)
    joining = _joining(given, key)
    account = _account(user)
    checked = run(_check(joining))
    if checked.is_well and given.settings_file.exists() and not replace:
        raise MeshnodeError(
            f"all is well, but {given.settings_file} is there already and is kept: --replace writes it anew"
        )
    written = _write(given, joining, checked, account) if checked.is_well else None
    if as_json:
        say_json(_document(joining, checked, written))
    else:
        _say(given, joining, checked, written)
    if not checked.is_well:
        raise typer.Exit(EXIT_NOT_REACHED if checked.is_away else EXIT_REFUSED)


def _print(settings: Settings, *, is_signer: bool, as_json: bool) -> None:
    invitation = run(_invitation(settings, is_signer=is_signer))
    if as_json:
        say_json(invitation.to_json())
        return
    for line in invitation.lines():
        say(line)


async def _invitation(settings: Settings, *, is_signer: bool) -> Invitation:
    from certs import CA_PREFIX, key_file, pinned_ca, standing_ca

    from ..join import Invitation

    folders = Folders.of(settings)
    with as_owner(folders.state):
        pinned = pinned_ca(folders.state)
        path = key_file(folders.state, settings.certificates_key_encryption_key_file)
        has_key = path.exists()
    if pinned is None:
        raise MeshnodeError(
            f"no node stands here yet: {folders.state} has no pinned root. Run this where an agent runs "
            "(and as its user), or name its state_folder"
        )
    async with consul_client(settings) as client:
        me = await client.node_self()
        standing = standing_ca(await client.kv_list(CA_PREFIX))
    if standing is None or pinned.root_pins[0] not in standing.root_pins:
        raise MeshnodeError(
            "the root in Consul is not the one this node has pinned, so nobody is invited: see `meshnode status`"
        )
    if is_signer and not has_key:
        raise MeshnodeError(
            f"this node has no key-encryption key ({path}), so it can not say where one is to be had: "
            f"run this on a node that signs, such as {standing.made_by or 'the first one'}"
        )
    key_path = str(path) if is_signer else None
    return Invitation(me.node, me.datacenter, me.address, me.acls_deny, pinned, key_path)


def _joining(given: Given, key: Path | None) -> Joining:
    from certs import key_file

    from ..join import Joining

    settings = read_settings(given)
    kept = key_file(settings.state_folder, settings.certificates_key_encryption_key_file)
    source = key or kept
    content = _key_content(source) if key is not None or kept.exists() else None
    has_token = token_of(settings) is not None
    return Joining(examine_settings(given), settings, has_token, content, source)


def _key_content(source: Path) -> bytes:
    try:
        if source == STDIN:
            content = sys.stdin.buffer.read(KEY_LIMIT_BYTES)
        else:
            with source.open("rb") as opened:
                content = opened.read(KEY_LIMIT_BYTES)
    except OSError as error:
        raise UsageError(f"the key-encryption key {source} can not be read: {error.strerror}") from error  # fmt: skip
    return content


def _account(user: str | None) -> pwd.struct_passwd | None:
    """Who gets the files; None: whoever runs this."""
    if os.geteuid() != 0:
        if user is not None:
            raise UsageError("only root can give files to another user: leave --user away")
        return None
    try:
        return pwd.getpwnam(user or SERVICE_USER)
    except KeyError:
        if user is None:
            return None
        raise UsageError(
            f'this machine has no user "{user}": useradd --system --shell /usr/sbin/nologin {user} makes it'
        ) from None


async def _check(joining: Joining) -> Checked:
    from ..join import check

    async with consul_client(joining.settings) as client:
        return await check(joining, client)


def _write(
    given: Given, joining: Joining, checked: Checked, user: pwd.struct_passwd | None
) -> Written:
    from ..join import write

    token = token_of(joining.settings)
    return write(joining, checked, path=given.settings_file.absolute(), token=token, user=user)


def _say(given: Given, joining: Joining, checked: Checked, written: Written | None) -> None:
    width = max(len(one.what) for one in checked.findings)
    for one in checked.findings:
        say(f"{'well' if one.is_well else 'MISSING':<7}   {one.what:<{width}}   {one.sentence}")
    if written is None:
        say("nothing was written: set right what is missing, and run this again")
        return
    for line in _next_steps(given, joining, written):
        say(line)


def _next_steps(given: Given, joining: Joining, written: Written) -> Iterator[str]:
    made = ", ".join(str(path) for path in (written.settings, *written.others))
    yield f"written: {made}"
    if (
        not joining.says_whether_it_signs
        and joining.key is not None
        and joining.key_source != STDIN
    ):
        yield f"the key is kept in the state folder: remove {joining.key_source} if that is another copy"
    yield door(joining.settings)
    if given.settings_file == DEFAULT_FILE:
        yield "start it: systemctl enable --now meshnode   (without systemd: meshnode agent)"
    else:
        yield f"start it: meshnode agent --config {shlex.quote(str(written.settings))}"


def _document(joining: Joining, checked: Checked, written: Written | None) -> dict[str, object]:
    findings = [
        {"what": one.what, "is_well": one.is_well, "sentence": one.sentence}
        for one in checked.findings
    ]
    return {
        "is_well": checked.is_well,
        "findings": findings,
        "written": [] if written is None else [str(path) for path in (written.settings, *written.others)],
        "door": door(joining.settings),
    }  # fmt: skip
