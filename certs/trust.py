"""Which roots this node trusts: pinned at first contact or by setting, followed only by cross-signatures. No I/O but the pin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from .authority import certificate_fingerprint, to_pem
from .canonical import Fields
from .chain import is_authority, is_issued_by
from .documents import RootsDocument, load_certificates
from .errors import DocumentError, PrivateFileError, RootsError
from .files import read_checked, with_checksum, write_private
from .settings import CertificateSettings

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust domain and the roots in force for it, at least one."""

    trust_domain: str
    roots: tuple[x509.Certificate, ...]

    @property
    def roots_pem(self) -> str:
        return to_pem(*self.roots)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(certificate_fingerprint(root) for root in self.roots)

    def save(self, path: Path) -> None:
        """Raises PrivateFileError."""
        roots = [
            {"sha256": certificate_fingerprint(root), "pem": to_pem(root)} for root in self.roots
        ]
        body = {"schema": SCHEMA, "trust_domain": self.trust_domain, "roots": roots}
        write_private(path, with_checksum(body))

    @classmethod
    def load(cls, path: Path) -> Trust | None:
        """The pin, None when there is none yet. Raises PrivateFileError: a damaged pin is not a missing one."""
        body = read_checked(path)
        if body is None:
            return None
        try:
            fields = Fields(body)
            fields.schema(SCHEMA)
            pems = [Fields(root).text("pem") for root in body["roots"]]
            roots = tuple(load_certificates(pem, at_most=1)[0] for pem in pems)
            return cls(fields.text("trust_domain"), roots)
        except (DocumentError, KeyError, TypeError, AttributeError) as error:
            raise PrivateFileError(path, f"is no pin of a root: {error}") from error


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a roots document: the trust in force after it, and the roots that were not taken."""

    trust: Trust
    rejected: tuple[str, ...]


def decide(
    document: RootsDocument,
    pinned: Trust | None,
    settings: CertificateSettings,
    *,
    now: datetime,
) -> Decision:
    """Follows the document from the pinned roots, or from the settings' pins, or takes it at first contact.

    Raises RootsError when none of its roots may be trusted, or its trust domain is another than the pinned one.
    """
    _check_trust_domain(document, pinned, settings)
    if any(not is_authority(root) for root in document.roots) or not document.roots:
        raise RootsError("meshnode/ca/roots holds no root, or a certificate that is no CA's")
    known = pinned.roots if pinned else ()
    start = _pins(document, pinned, settings)
    trusted = [root for root in (*known, *document.roots) if certificate_fingerprint(root) in start]
    accepted = _followed(document, trusted, now)
    if not accepted:
        raise RootsError(_not_taken(document))
    fingerprints = {certificate_fingerprint(root) for root in accepted}
    offered = (certificate_fingerprint(root) for root in document.roots)
    rejected = tuple(one for one in offered if one not in fingerprints)
    return Decision(Trust(document.trust_domain, accepted), rejected)


def _check_trust_domain(
    document: RootsDocument, pinned: Trust | None, settings: CertificateSettings
) -> None:
    expected = settings.trust_domain or (pinned.trust_domain if pinned else document.trust_domain)
    if document.trust_domain != expected:
        raise RootsError(
            f"the CA in Consul is of trust domain {document.trust_domain}, and this node belongs to {expected}"
        )


def _pins(
    document: RootsDocument, pinned: Trust | None, settings: CertificateSettings
) -> frozenset[str]:
    if pinned:
        return frozenset((*pinned.fingerprints, *settings.root_pins))
    if settings.root_pins:
        return frozenset(settings.root_pins)
    return frozenset(certificate_fingerprint(root) for root in document.roots)


def _followed(
    document: RootsDocument, trusted: Sequence[x509.Certificate], now: datetime
) -> tuple[x509.Certificate, ...]:
    """The document's roots that are trusted, or reached from trusted ones by cross-signatures."""
    reached = list(trusted)
    # Each round reaches at least one more root or is the last; the document holds at most MAX_ROOTS.
    for _ in document.roots:
        reached += [
            root
            for root in document.roots
            if root not in reached and _is_cross_signed(root, document.cross_signed, reached, now)
        ]
    return tuple(root for root in document.roots if root in reached)


def _is_cross_signed(
    root: x509.Certificate,
    cross_signed: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    now: datetime,
) -> bool:
    return any(
        certificate.public_key() == root.public_key()
        and certificate.subject == root.subject
        and is_authority(certificate)
        and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        and any(is_issued_by(certificate, issuer) for issuer in trusted)
        for certificate in cross_signed
    )


def _not_taken(document: RootsDocument) -> str:
    offered = ", ".join(certificate_fingerprint(root) for root in document.roots)
    return (
        f"the root in Consul ({offered}) is neither pinned here nor cross-signed by a pinned one, and is not taken. "
        "Was the CA replaced on purpose? Then remove pin.json in this node's state folder and restart the agent; "
        "else find out who writes to meshnode/ca/roots"
    )
