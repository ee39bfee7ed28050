"""The key that signs history: made by the elected signer, certified for this alone. Keeps nothing: the next signer makes its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from .authority import DOCUMENT_SIGNING, Authority
from .canonical import encode_base64
from .documents import load_certificates
from .identity import renew_at
from .spiffe import history_id


@dataclass(frozen=True, slots=True)
class HistoryKey:
    """What the writer of history signs with. `chain_pem` goes with each thing it signed, the root left out."""

    chain_pem: str
    renew_at: datetime
    _private: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def make(cls, authority: Authority, node: str, *, now: datetime, ttl_s: int) -> Self:
        """Raises AuthorityError."""
        private = ec.generate_private_key(ec.SECP256R1())
        name = history_id(authority.trust_domain, node)
        chain = authority.issue(
            private.public_key(), name, now=now, ttl_s=ttl_s, usages=(DOCUMENT_SIGNING,)
        )
        (leaf, *_) = load_certificates(chain, at_most=1)
        ends = renew_at(leaf.not_valid_before_utc, leaf.not_valid_after_utc, 0.0)
        return cls(chain, ends, private)

    def sign(self, message: bytes) -> str:
        """ECDSA over SHA-256, DER in base64."""
        return encode_base64(self._private.sign(message, ec.ECDSA(hashes.SHA256())))
