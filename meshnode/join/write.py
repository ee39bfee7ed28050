"""Writes what a new node starts with: its settings file, and each secret in a file of its own, mode 0600.

Decides nothing: all was checked before.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certs import MeshCa, check_key, keep_key, key_file

from .. import VERSION
from ..config import TABLE
from ..config.document import settings_document
from ..config.owner import give
from ..errors import StartError
from .checks import Checked, Joining

TOKEN_FILE = "consul.token"  # noqa: S105  (a file's name)
# They get files of their own; the settings file is everybody's to read.
SECRETS = frozenset({"consul.token", "consul.token_file"})


@dataclass(frozen=True, slots=True)
class Written:
    """The files that were made, in the order they were."""

    settings: Path
    others: tuple[Path, ...]


def write(
    joining: Joining,
    checked: Checked,
    *,
    path: Path,
    token: str | None,
    user: pwd.struct_passwd | None,
) -> Written:
    """Writes all of it, owned by `user` where one is named. Raises StartError or CertificateError."""
    made: list[Path] = []
    values = _values(joining, checked.ca, is_signer=checked.is_signer)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if token is not None:
            token_path = path.parent / TOKEN_FILE
            _replace(token_path, f"{token}\n", mode=0o600, user=user)
            values["consul.token_file"] = str(token_path)
            made.append(token_path)
        if joining.key is not None:
            made.append(_keep_key(joining, user))
        head = f"The settings of this node, written by `meshnode join` of meshnode {VERSION}.\nWhat is commented out has the value shown."
        _replace(path, settings_document(values, head=head), mode=0o644, user=None)
    except OSError as error:
        raise StartError(
            f"{error.filename or path} can not be written ({error.strerror}): run this as root, or name another file (--config)"
        ) from error
    return Written(path, tuple(made))


def _values(joining: Joining, ca: MeshCa | None, *, is_signer: bool) -> dict[str, Any]:
    """What was given in whatever way, and what the checks found. Paths whole: who reads the file stands elsewhere."""
    values = _given(joining)
    values["state_folder"] = str(joining.settings.state_folder)
    values["certificates.signer"] = is_signer
    if ca is not None:
        values["certificates.trust_domain"] = ca.trust_domain
        values.setdefault("certificates.root_pin", ca.root_pins[0])
    return values


def _given(joining: Joining) -> dict[str, Any]:
    values: dict[str, Any] = {}
    sources: Mapping[str, Any] = joining.examined.sources
    for line in TABLE:
        parsed = getattr(joining.settings, line.field)
        if sources[line.name].place.origin != "default" and line.name not in SECRETS:
            values[line.name] = str(parsed) if isinstance(parsed, Path) else sources[line.name].value  # fmt: skip
    return values


def _keep_key(joining: Joining, user: pwd.struct_passwd | None) -> Path:
    folder = joining.settings.state_folder
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        give(folder, user)
    assert joining.key is not None
    path = key_file(folder, joining.settings.certificates_key_encryption_key_file)
    if path != joining.key_source:
        keep_key(check_key(joining.key_source, joining.key, ()), path)
    give(path, user)
    return path


def _replace(path: Path, text: str, *, mode: int, user: pwd.struct_passwd | None) -> None:
    """Whole or not at all, and never readable by others in between."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w") as opened:
        os.fchmod(opened.fileno(), mode)
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    give(scratch, user)
    scratch.replace(path)
