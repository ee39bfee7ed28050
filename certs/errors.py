"""What can go wrong in this room, one sentence each for the person who reads it. Knows no other room's errors."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


class CertificateError(Exception):
    """The base: `str(error)` is one sentence for a person, and never holds a key."""


class PrivateFileError(CertificateError):
    """A file that holds something of ours is not there, not private, damaged, or cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} {reason}")
        self.path = path
        self.reason = reason


class DocumentError(CertificateError):
    """A value under meshnode/ca/ is not the document its key stands for."""


class SealError(CertificateError):
    """The sealed CA key cannot be opened here: another key-encryption key, or altered."""


class AuthorityError(CertificateError):
    """The CA cannot sign now: its root has ended, is about to, or lies in the future of this machine's clock."""


class RootsError(CertificateError):
    """The roots in Consul are not the pinned ones, nor cross-signed by one of them."""


class RequestError(CertificateError):
    """A signing request is refused; the sentence goes back to the node that asked."""


class AnswerError(CertificateError):
    """No leaf came of a request: refused by the signer, not answered, or an answer that is not taken."""


class EdgeCertificateError(CertificateError):
    """A certificate for the edge is not taken. `part` is what of it: certificate, key or client_certificates."""

    def __init__(
        self, part: Literal["certificate", "key", "client_certificates"], sentence: str
    ) -> None:
        super().__init__(sentence)
        self.part = part


class StoreError(CertificateError):
    """The key-value store did not do what it was asked; the cause is the store's own error."""

    def __init__(self, what: str, cause: BaseException) -> None:
        super().__init__(f"{what} failed: {str(cause) or type(cause).__name__}")
        self.what = what
