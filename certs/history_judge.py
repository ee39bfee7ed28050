"""Whether an entry of history was signed by the mesh's elected writer, and why it does not count else. Reads no store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from .authority import DOCUMENT_SIGNING
from .canonical import decode_base64
from .chain import check_path, is_authority
from .documents import RootsDocument, load_certificates
from .errors import AnswerError, DocumentError, PrivateFileError
from .pinned import PIN_FILE
from .spiffe import history_node
from .trust import Trust

# A leaf, and intermediates while roots rotate.
MAX_CHAIN = 4


@dataclass(frozen=True, slots=True)
class _Signer:
    """A leaf that may sign history: its key, its node, and when it was valid."""

    key: ec.EllipticCurvePublicKey
    node: str
    not_before: datetime
    not_after: datetime


class HistoryJudge:
    """Says why a signed entry of history does not count; a chain that was checked once is not checked again."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self._chains: dict[str, _Signer | str] = {}

    @classmethod
    def of(cls, roots: bytes | None, state_folder: Path | None = None) -> Self | None:
        """By the roots this machine has pinned, else by those that stand in `meshnode/ca/roots`; None without either.

        Raises DocumentError. A pin that may not be read (it is the node's user's) is as good as none.
        """
        try:
            pinned = None if state_folder is None else Trust.load(state_folder / PIN_FILE)
        except PrivateFileError:
            pinned = None
        if pinned is not None:
            return cls(pinned)
        if roots is None:
            return None
        document = RootsDocument.from_bytes(roots)
        return cls(Trust(document.trust_domain, document.roots))

    def refusal(
        self, chain_pem: str, message: bytes, signature: str, *, node: str, at: datetime
    ) -> str | None:
        """Why it is not the word of the elected writer on `node`, signed at about `at`; None if it is."""
        signer = self._chains.get(chain_pem)
        if signer is None:
            signer = self._chains[chain_pem] = _signer(chain_pem, self.trust)
        if isinstance(signer, str):
            return signer
        if signer.node != node:
            return f"it is signed by {signer.node}, and says that {node} wrote it"
        if not signer.not_before <= at < signer.not_after:
            return "it was not signed while its certificate was valid"
        try:
            signer.key.verify(decode_base64(signature), message, ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            return "its signature does not fit: it was not written by the mesh's writer, or altered"
        return None


def _signer(chain_pem: str, trust: Trust) -> _Signer | str:
    """The leaf of a chain, or why it may not sign history."""
    try:
        chain = load_certificates(chain_pem, at_most=MAX_CHAIN)
        leaf, key = chain[0], chain[0].public_key()
        node = _node(leaf, trust.trust_domain)
        check_path(chain, trust.roots)
    except (AnswerError, DocumentError) as error:
        return str(error)
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        return f"its certificate cannot be read: {error}"
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return "its certificate is for a key of another kind"
    return _Signer(key, node, leaf.not_valid_before_utc, leaf.not_valid_after_utc)


def _node(leaf: x509.Certificate, trust_domain: str) -> str:
    """The node a leaf for history names. Raises AnswerError for every other leaf."""
    if is_authority(leaf) or _usages(leaf) != [DOCUMENT_SIGNING]:
        raise AnswerError("its certificate is none for signing history")
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = []
    uri = names[0].value if len(names) == 1 and _is_uri(names[0]) else ""
    node = history_node(trust_domain, uri)
    if node is None:
        raise AnswerError("its certificate does not name a writer of this mesh's history")
    return node


def _is_uri(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.UniformResourceIdentifier)


def _usages(leaf: x509.Certificate) -> Sequence[x509.ObjectIdentifier]:
    try:
        return list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]
