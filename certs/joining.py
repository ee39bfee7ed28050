"""What a machine that joins or leaves must know of the mesh's CA. Trusts nothing and signs nothing by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .authority import certificate_fingerprint
from .builtin import IDENTITIES_FOLDER, KEY_ENCRYPTION_KEY_FILE, SIGNER_SESSION_FILE
from .documents import AuthorityDocument, RootsDocument
from .errors import PrivateFileError
from .keys import AUTHORITY_KEY, ROOTS_KEY
from .pinned import PIN_FILE
from .sealing import KeyEncryptionKey
from .store import Entry
from .trust import Trust

OWN_FILES = (PIN_FILE, IDENTITIES_FOLDER, KEY_ENCRYPTION_KEY_FILE, SIGNER_SESSION_FILE)
"""What lies in a node's state folder that is this room's."""


@dataclass(frozen=True, slots=True)
class MeshCa:
    """A trust domain and its roots as `sha256:<hex>`. `made_by` is the node that made the CA, empty where unknown."""

    trust_domain: str
    root_pins: tuple[str, ...]
    made_by: str = ""


def standing_ca(entries: Iterable[Entry]) -> MeshCa | None:
    """The CA in the keys under meshnode/ca/; None when no node has made one. Raises DocumentError."""
    values = {entry.key: entry.value for entry in entries}
    key, roots = values.get(AUTHORITY_KEY), values.get(ROOTS_KEY)
    authority = None if key is None else AuthorityDocument.from_bytes(key)
    made_by = "" if authority is None else authority.created_by
    if roots is not None:
        document = RootsDocument.from_bytes(roots)
        pins = tuple(certificate_fingerprint(root) for root in document.roots)
        return MeshCa(document.trust_domain, pins, made_by)
    if authority is None:
        return None
    # The signer that has just made the CA publishes its root a moment later.
    return MeshCa(authority.trust_domain, (certificate_fingerprint(authority.root),), made_by)


def pinned_ca(state_folder: Path) -> MeshCa | None:
    """The CA a node has pinned; None before its first contact. Raises PrivateFileError."""
    trust = Trust.load(state_folder / PIN_FILE)
    return None if trust is None else MeshCa(trust.trust_domain, trust.fingerprints)


def key_file(state_folder: Path, named: Path | None) -> Path:
    """Where a node looks for the key-encryption key."""
    return named or state_folder / KEY_ENCRYPTION_KEY_FILE


def check_key(source: Path, content: bytes, entries: Iterable[Entry]) -> KeyEncryptionKey:
    """The key-encryption key in this content, once it has opened the mesh's CA. Raises CertificateError."""
    key = KeyEncryptionKey.parse(source, content)
    for entry in entries:
        if entry.key == AUTHORITY_KEY:
            AuthorityDocument.from_bytes(entry.value).open(key)
    return key


def keep_key(key: KeyEncryptionKey, path: Path) -> None:
    """Writes the key's file, mode 0600. Raises PrivateFileError when another key is there."""
    if key.create(path):
        return
    there = KeyEncryptionKey.load(path)
    if there is None or there.id != key.id:
        raise PrivateFileError(path, "holds another key-encryption key, which is not written over")
