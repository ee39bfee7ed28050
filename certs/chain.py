"""Whether a certificate chain is what a node asked for: names, key, times, and the way to a trusted root. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from .documents import load_certificates
from .errors import AnswerError, DocumentError

# A leaf, and intermediates while roots rotate.
MAX_CHAIN = 4


def check_chain(
    chain_pem: str,
    roots: Sequence[x509.Certificate],
    *,
    spiffe_id: str,
    public_key: ec.EllipticCurvePublicKey,
) -> tuple[x509.Certificate, ...]:
    """The chain, leaf first, when it leads from it to one of the roots and it names `spiffe_id` alone; else an AnswerError.

    Says nothing about time: an expired leaf is still the node's own.
    """
    try:
        chain = load_certificates(chain_pem, at_most=MAX_CHAIN)
        leaf = chain[0]
        if leaf.public_key() != public_key:
            raise AnswerError("the certificate is for another key than this node's")
        _check_names(leaf, spiffe_id)
        _check_use(leaf)
        check_path(chain, roots)
    except (DocumentError, ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise AnswerError(f"the certificate cannot be read: {error}") from error
    return chain


def check_times(leaf: x509.Certificate, now: datetime) -> None:
    """Raises AnswerError for a leaf that is not valid at `now`."""
    if now < leaf.not_valid_before_utc:
        raise AnswerError(
            f"the certificate begins at {leaf.not_valid_before_utc:%Y-%m-%d %H:%M:%S} UTC, which is in the "
            "future of this machine's clock: set the clock"
        )
    if now >= leaf.not_valid_after_utc:
        raise AnswerError(
            f"the certificate ended at {leaf.not_valid_after_utc:%Y-%m-%d %H:%M:%S} UTC by this machine's clock"
        )


def check_path(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> None:
    """Raises AnswerError unless the certificates made one another, the last by one of the roots."""
    for certificate, issuer in pairwise(chain):
        if not is_issued_by(certificate, issuer):
            raise AnswerError("the certificates of the chain did not make one another")
    if not any(is_issued_by(chain[-1], root) for root in roots):
        raise AnswerError("the certificate does not come from a root this node has pinned")


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` is a CA, and its name and key are those that made `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
        return is_authority(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it says that it is a CA."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return False


def _check_names(leaf: x509.Certificate, spiffe_id: str) -> None:
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound as error:
        raise AnswerError("the certificate has no name") from error
    # Whole and exact, and no second name: nothing to be read in two ways.
    if names != [x509.UniformResourceIdentifier(spiffe_id)]:
        raise AnswerError(f"the certificate names {names!r:.300}, not {spiffe_id} alone")


def _check_use(leaf: x509.Certificate) -> None:
    try:
        usages = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        usages = set()
    if is_authority(leaf):
        raise AnswerError("the certificate is a CA's")
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= usages:
        raise AnswerError("the certificate is not for both sides of a connection")
