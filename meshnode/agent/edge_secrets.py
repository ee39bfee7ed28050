"""What this node has of keys for the edge's TLS: the key-encryption key, certificates in files, the default one.

Reads its folders again and again and says what changed. Sends nothing to the proxy.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from catalog import Problem, tls_host, tls_key
from certs import (
    CertificateError,
    EdgeCertificate,
    KeyEncryptionKey,
    PrivateFileError,
    check_host,
    date_sentence,
    key_file,
    load_or_make,
    paired,
    read_chain,
)

from ..config import Folders, Settings
from .events import EdgeSecretsRead, Event, OwnProblem

# A new file is served within this; reading a few small files costs next to nothing.
LOOK_S = 2.0
HOUR_S = 3600
FILE_MAX_BYTES = 256 * 1024
CERTIFICATE, KEY = ".crt", ".key"

_log = logging.getLogger("meshnode.agent")


@dataclass(frozen=True, slots=True)
class EdgeSecrets:
    """`key` is None on a node without the key-encryption key, whose file `key_path` would be. `files` are by host.

    `hour` counts the hours since the epoch, so that dates are judged, and ticket keys made, anew with each.
    """

    is_edge: bool = False
    node: str = ""
    key: KeyEncryptionKey | None = field(default=None, compare=False)
    key_id: str = ""
    key_path: str = ""
    default: EdgeCertificate | None = None
    files: Mapping[str, EdgeCertificate] = field(default_factory=dict)
    hour: int = 0


class EdgeKeeper:
    """`run()` reads until it is cancelled; `post` takes what changed and what is wrong."""

    def __init__(
        self,
        settings: Settings,
        folders: Folders,
        *,
        node: Callable[[], str],
        post: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._is_edge = settings.edge_address is not None
        self._has_tls = self._is_edge and settings.edge_tls_address is not None
        self._key_path = key_file(folders.state, settings.certificates_key_encryption_key_file)
        self._folder = settings.edge_certificates_folder
        self._default_path = folders.edge_certificate
        self._node = node
        self._post = post
        self._clock = clock
        self._files: dict[str, EdgeCertificate] = {}
        self._problems: dict[str, Problem] = {}
        self.secrets = EdgeSecrets()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            before = self.secrets
            if await asyncio.to_thread(self.read) != before:
                self._post(EdgeSecretsRead(self.secrets))

    def read(self) -> EdgeSecrets:
        """What there is now; a file that is wrong leaves the last good one."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        key = self._read_key()
        self.secrets = EdgeSecrets(
            self._is_edge,
            self._node(),
            key,
            key.id if key else "",
            str(self._key_path),
            self._read_default(now),
            self._read_files(now),
            int(now.timestamp()) // HOUR_S,
        )
        return self.secrets

    def _read_key(self) -> KeyEncryptionKey | None:
        try:
            found = KeyEncryptionKey.load(self._key_path)
        except PrivateFileError as error:
            self._tell("key-encryption key", "error", str(error))
            return None
        self._tell("key-encryption key", "error", None)
        return found

    def _read_default(self, now: datetime) -> EdgeCertificate | None:
        if not self._has_tls:
            return None
        try:
            found = load_or_make(self._default_path, self._node() or "this machine", now)
        except PrivateFileError as error:
            self._tell("default certificate", "error", str(error))
            return self.secrets.default
        self._tell("default certificate", "error", None)
        return found

    def _read_files(self, now: datetime) -> Mapping[str, EdgeCertificate]:
        if self._folder is None or not self._has_tls:
            return {}
        found: dict[str, EdgeCertificate] = {}
        told: set[str] = set()
        try:
            paths = sorted(self._folder.glob("*" + CERTIFICATE))
        except OSError as error:
            self._tell(str(self._folder), "error", f"it can not be read: {error.strerror}")
            return self._files
        for path in paths:
            told.add(str(path))
            host = tls_host(tls_key(path.name.removesuffix(CERTIFICATE)))
            if host is None:
                sentence = f"{path.name.removesuffix(CERTIFICATE)} is no host, as shop.example{CERTIFICATE} or _wildcard.shop.example{CERTIFICATE} is named by one"
                self._tell(str(path), "error", sentence)
                continue
            try:
                made, warning = _read_pair(path, host, now)
            except (CertificateError, OSError) as error:
                self._tell(str(path), "error", str(error))
                if host in self._files:
                    found[host] = self._files[host]
                continue
            found[host] = made
            self._tell(str(path), "warning", warning)
        for gone in self._problems.keys() - told:
            if gone.startswith(str(self._folder)):
                self._tell(gone, "error", None)
        self._files = found
        return dict(found)

    def _tell(self, subject: str, severity: str, sentence: str | None) -> None:
        """A problem of this node's own, told when it is new, another, or over."""
        problem = None
        if sentence is not None:
            is_error = severity == "error"
            problem = Problem(subject, 0, "error" if is_error else "warning", sentence)
        if self._problems.get(subject) == problem:
            return
        if problem is None:
            del self._problems[subject]
        else:
            self._problems[subject] = problem
            _log.warning("%s: %s", subject, sentence)
        self._post(OwnProblem(f"edge {subject}", problem))


def _read_pair(path: Path, host: str, now: datetime) -> tuple[EdgeCertificate, str | None]:
    """The certificate of a file with the key beside it, and what people should hear. Raises CertificateError, OSError."""
    beside = path.with_suffix(KEY)
    if beside.stat().st_mode & 0o007:
        raise PrivateFileError(beside, f"can be read by everybody: run chmod 600 {beside}")
    chain = _content(path).decode("utf-8", "replace")
    made = paired(host, chain, _content(beside))
    read = read_chain(chain)
    check_host(read, host)
    dates = date_sentence(read, now)
    return made, None if dates is None else dates[0]


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_MAX_BYTES + 1)
    if len(data) > FILE_MAX_BYTES:
        raise PrivateFileError(path, f"is longer than {FILE_MAX_BYTES:,} bytes")
    return data
