"""Identities: a service's key and certificate, taken from an answer or from disk after every check. No I/O."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .authority import LEAF_BACKDATE, to_pem
from .canonical import Fields
from .chain import check_chain, check_times
from .errors import AnswerError, DocumentError
from .request import Answer, Asked
from .trust import Trust

SCHEMA = 1
# A third of the life stays in hand for a signer that is away.
LATEST_SHARE = 2 / 3
JITTER_SHARE = 1 / 15


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a service is, with the key that proves it. Times are UTC."""

    name: str
    """The service."""
    spiffe_id: str
    certificate_chain_pem: str
    """Leaf first, the root left out."""
    private_key_pem: str = field(repr=False)
    """PKCS #8, not encrypted: it goes to the proxy and into a file of mode 0600, nowhere else."""
    roots_pem: str
    not_before: datetime
    not_after: datetime

    def to_boundary(self) -> dict[str, Any]:
        """The body of `PUT /v1/identities/<name>` (docs/boundary.md). Holds the private key."""
        return {
            "name": self.name,
            "spiffe_id": self.spiffe_id,
            "certificate_chain_pem": self.certificate_chain_pem,
            "private_key_pem": self.private_key_pem,
            "roots_pem": self.roots_pem,
            "not_after_unix_s": int(self.not_after.timestamp()),
        }

    def to_json(self) -> dict[str, Any]:
        """What is kept on disk. Holds the private key."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "spiffe_id": self.spiffe_id,
            "certificate_chain_pem": self.certificate_chain_pem,
            "private_key_pem": self.private_key_pem,
        }

    def with_roots(self, roots_pem: str) -> Identity:
        return dataclasses.replace(self, roots_pem=roots_pem)

    def is_valid_at(self, now: datetime) -> bool:
        return self.not_before <= now < self.not_after


def renew_at(not_before: datetime, not_after: datetime, jitter: float) -> datetime:
    """When to renew: at two thirds of the life since it was made, or up to a fifteenth of it earlier.

    `jitter` from 0 to 1 spreads the renewals of leaves that were made in one moment. The time before the making
    (LEAF_BACKDATE) is for others' clocks and does not count as life.
    """
    made_at = min(not_before + LEAF_BACKDATE, not_after)
    life = (not_after - made_at) / timedelta(seconds=1)
    return made_at + timedelta(seconds=life * (LATEST_SHARE - JITTER_SHARE * jitter))


def accept(answer: Answer, asked: Asked, trust: Trust, *, now: datetime) -> Identity:
    """The identity an answer brings. Raises AnswerError: refused, for another request, or not what was asked for."""
    if answer.nonce != asked.request.nonce:
        raise AnswerError("the answer belongs to another request")
    if answer.refused:
        raise AnswerError(answer.refused)
    if answer.csr_sha256 != asked.request.csr_sha256:
        raise AnswerError("the answer belongs to another CSR")
    chain = check_chain(
        answer.chain_pem,
        trust.roots,
        spiffe_id=asked.spiffe_id,
        public_key=asked.key.public_key(),
    )
    check_times(chain[0], now)
    pem = _private_pem(asked.key)
    return _identity(asked.request.service, asked.spiffe_id, chain, pem, trust)


def from_json(document: dict[str, Any], trust: Trust, *, spiffe_id: str) -> Identity:
    """A kept identity, checked as an answer is, but for its end. Raises AnswerError."""
    try:
        fields = Fields(document)
        fields.schema(SCHEMA)
        name, pem = fields.text("name"), fields.text("private_key_pem")
        chain_pem = fields.text("certificate_chain_pem")
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (DocumentError, ValueError, TypeError) as error:
        raise AnswerError(f"the kept identity cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AnswerError("the kept identity's key is of another kind")
    chain = check_chain(chain_pem, trust.roots, spiffe_id=spiffe_id, public_key=key.public_key())
    return _identity(name, spiffe_id, chain, pem, trust)


def _identity(
    name: str, spiffe_id: str, chain: tuple[x509.Certificate, ...], pem: str, trust: Trust
) -> Identity:
    return Identity(
        name=name,
        spiffe_id=spiffe_id,
        certificate_chain_pem=to_pem(*chain),
        private_key_pem=pem,
        roots_pem=trust.roots_pem,
        not_before=chain[0].not_valid_before_utc,
        not_after=chain[0].not_valid_after_utc,
    )


def _private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")
