"""The file of the key-encryption key. A key made here stands beside it until the CA it seals is the mesh's."""

from __future__ import annotations

import logging
from pathlib import Path

from .errors import PrivateFileError
from .files import remove, rename
from .sealing import KeyEncryptionKey

log = logging.getLogger(__name__)


class KeyFile:
    """`path` holds the mesh's key; `<path>.new` one that was made for a CA of which nobody knows yet what became."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new_path = path.with_name(path.name + ".new")

    @property
    def is_there(self) -> bool:
        return self.path.exists()

    def load(self) -> tuple[KeyEncryptionKey, ...]:
        """The keys to try, the lasting one first; none without a file. Raises PrivateFileError."""
        found = (KeyEncryptionKey.load(self.path), KeyEncryptionKey.load(self._new_path))
        return tuple(key for key in found if key is not None)

    def load_or_make(self) -> KeyEncryptionKey:
        """The key to seal a new CA with. Raises PrivateFileError."""
        found = self.load()
        if found:
            return found[0]
        made = KeyEncryptionKey.generate()
        if made.create(self._new_path):
            return made
        raise PrivateFileError(self._new_path, "is made by another agent at this moment")

    def settle(self, key: KeyEncryptionKey) -> bool:
        """True when this key was a new one and has its lasting name now. Raises PrivateFileError."""
        new = KeyEncryptionKey.load(self._new_path)
        if new is None or new.id != key.id:
            return False
        if self.is_there:
            remove(self._new_path)
            return False
        rename(self._new_path, self.path)
        return True

    def discard_new(self) -> None:
        """The new key sealed nothing: another node's CA was first."""
        try:
            remove(self._new_path)
        except PrivateFileError as error:
            log.warning("the key in this file opens nothing: %s", error)
