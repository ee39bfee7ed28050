"""The CA in this node's hands: made once for the mesh, opened, put back when it is deleted. Signs nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from .authority import Authority, certificate_fingerprint, create_authority
from .documents import AuthorityDocument, RootsDocument
from .errors import DocumentError, PrivateFileError, SealError
from .keyfile import KeyFile
from .keys import AUTHORITY_KEY, ROOTS_KEY
from .sealing import KeyEncryptionKey
from .settings import CertificateSettings
from .spiffe import new_trust_domain
from .store import Entry, GuardedStore
from .trust import Trust

log = logging.getLogger(__name__)


class Custody:
    """Opens `meshnode/ca/key` with the key-encryption key of this node's file.

    `on_created` is called with the roots of a CA that this node made: it needs no first contact to trust them.
    """

    def __init__(
        self,
        store: GuardedStore,
        node: str,
        settings: CertificateSettings,
        key_file: KeyFile,
        *,
        on_created: Callable[[RootsDocument], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._node = node
        self._settings = settings
        self._key_file = key_file
        self._on_created = on_created
        self._clock = clock
        self._document: AuthorityDocument | None = None
        self._value = b""
        self.authority: Authority | None = None
        self.problem: str | None = None
        """Why the CA is not open here, when something is wrong; only lacking the file is not."""

    async def step(self, entries: Mapping[str, Entry], trust: Trust | None) -> Authority | None:
        """The CA as it stands in the store; None while this node cannot open it. Raises StoreError.

        A node with a `trust` has belonged to a CA before: it never makes another.
        """
        entry = entries.get(AUTHORITY_KEY)
        if self.authority is not None and (entry is None or self._is_foreign(entry.value, trust)):
            await self._put_back(entry)
            return self.authority
        if entry is not None:
            if self.authority is None or entry.value != self._value:
                self._open(entry.value)
            return self.authority
        if trust is not None or ROOTS_KEY in entries:
            self.problem = (
                f"{AUTHORITY_KEY} is gone from Consul while nodes trust its root: restore it from a Consul snapshot. "
                "To begin with a new CA instead, delete all under meshnode/ca/ and pin.json on every node"
            )
            return None
        return await self._create()

    def roots(self) -> RootsDocument | None:
        """What `meshnode/ca/roots` must say while nothing rotates."""
        document = self._document
        if document is None:
            return None
        return RootsDocument(document.trust_domain, (document.root,), document.created_unix_s)

    def _open(self, value: bytes) -> None:
        """Sets the authority, or leaves None and the problem."""
        self.authority, self.problem = None, None
        try:
            keys = self._key_file.load()
        except PrivateFileError as error:
            self.problem = f"this node cannot sign: {error}"
            return
        try:
            document = AuthorityDocument.from_bytes(value)
        except DocumentError as error:
            self.problem = f"{AUTHORITY_KEY} in Consul cannot be read: {error}"
            return
        for key in keys:
            try:
                self.authority = document.open(key)
            except SealError as error:
                self.problem = f"{AUTHORITY_KEY} in Consul cannot be opened with {self._key_file.path}: {error}"
                continue
            self._document, self._value, self.problem = document, value, None
            self._settle(key)
            return
        if not self._key_file.is_there:
            # Only a key that was made here for a CA that came to nothing.
            self.problem = None
            self._key_file.discard_new()

    async def _create(self) -> Authority | None:
        """Makes the CA unless another node was first; root and sealed key are one value, so there is no half of it."""
        self.problem = None
        try:
            # In a file before anything is sealed with it: a CA whose key is nowhere would be lost for ever.
            key = self._key_file.load_or_make()
        except PrivateFileError as error:
            self.problem = f"this node cannot make the mesh's CA: {error}"
            return None
        now = self._clock()
        trust_domain = self._settings.trust_domain or new_trust_domain()
        authority = create_authority(trust_domain, now=now, ttl_s=self._settings.root_ttl_s)
        document = AuthorityDocument.seal(authority, key, node=self._node, now=now)
        value = document.to_bytes()
        if not await self._store.kv_put(AUTHORITY_KEY, value, cas=0):
            winner = await self._store.kv_get(AUTHORITY_KEY, consistent=True)
            if winner is not None:
                self._open(winner.value)
            return self.authority
        self.authority, self._document, self._value = authority, document, value
        log.info("this node made the mesh's CA, sealed in Consul with key %s", key.id)
        self._settle(key)
        self._on_created(RootsDocument(trust_domain, (authority.root,), document.created_unix_s))
        return authority

    def _settle(self, key: KeyEncryptionKey) -> None:
        """The key opens the mesh's CA: its file gets its lasting name, and whoever reads the log hears of it."""
        path = self._key_file.path
        try:
            if self._key_file.settle(key):
                log.warning(
                    "the only key that opens the mesh's CA is %s on %s: keep a copy of it. For a second signer copy it "
                    "to that node too (for example: scp -p %s other-node:%s; mode 600, owned by the agent's user)",
                    path, self._node, path, path,
                )  # fmt: skip
        except PrivateFileError as error:
            self.problem = f"the key that opens the mesh's CA must not get lost: {error}"

    def _is_foreign(self, value: bytes, trust: Trust | None) -> bool:
        """Whether what stands there is no CA this node could ever follow."""
        if value == self._value or trust is None:
            return False
        try:
            root = AuthorityDocument.from_bytes(value).root
        except DocumentError:
            return True
        return certificate_fingerprint(root) not in trust.fingerprints

    async def _put_back(self, entry: Entry | None) -> None:
        index = entry.modify_index if entry else 0
        if await self._store.kv_put(AUTHORITY_KEY, self._value, cas=index):
            what = "written over" if entry else "deleted"
            log.warning("%s was %s in Consul; this node put it back", AUTHORITY_KEY, what)
