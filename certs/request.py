"""Requests and answers as they lie in KV, and what a node remembers of its request. Signs nothing, sends nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from .canonical import Fields, canonical, parse_object, sha256
from .csr import make_csr
from .errors import DocumentError
from .node_key import NodeKey, verify_signature

SCHEMA = 1
NONCE_BYTES = 16
# Keeps a signature over a request from ever being one over another kind of document (status, history).
SIGNATURE_CONTEXT = b"meshnode ca request\n"
# Two lines of a terminal, three times over.
MAX_REFUSAL_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """`meshnode/ca/requests/<node>/<service>`: a CSR, signed with the node key of the node that asks.

    `session` is the session that speaks for the node, `time_unix_s` the node's clock, `nonce` new for each request,
    `public_key` the node key's as NodeKey has it, `signature` over everything else.
    """

    node: str
    service: str
    session: str
    time_unix_s: int
    nonce: str
    csr_pem: str
    public_key: str
    signature: str = ""

    def signed(self, key: NodeKey) -> SigningRequest:
        """The same request with the key's signature."""
        fields = {**self._document(), "public_key": key.public_key}
        return SigningRequest(
            self.node,
            self.service,
            self.session,
            self.time_unix_s,
            self.nonce,
            self.csr_pem,
            key.public_key,
            key.sign(_message(fields)),
        )

    @property
    def is_signature_valid(self) -> bool:
        return verify_signature(self.public_key, _message(self._document()), self.signature)

    @property
    def csr_sha256(self) -> str:
        return sha256(self.csr_pem.encode())

    def to_bytes(self) -> bytes:
        return canonical({**self._document(), "signature": self.signature})

    @classmethod
    def from_bytes(cls, value: bytes) -> SigningRequest:
        """Raises DocumentError. Checks the form only."""
        fields = Fields(parse_object(value))
        fields.schema(SCHEMA)
        return cls(
            node=fields.text("node"),
            service=fields.text("service"),
            session=fields.text("session"),
            time_unix_s=fields.integer("time"),
            nonce=_nonce(fields),
            csr_pem=fields.text("csr"),
            public_key=fields.text("public_key"),
            signature=fields.text("signature"),
        )

    def _document(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "node": self.node,
            "service": self.service,
            "session": self.session,
            "time": self.time_unix_s,
            "nonce": self.nonce,
            "csr": self.csr_pem,
            "public_key": self.public_key,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """`meshnode/ca/answers/<node>/<service>`: a chain, or a refusal's sentence, for one request alone."""

    nonce: str
    csr_sha256: str = ""
    chain_pem: str = ""
    refused: str = ""
    signer: str = ""
    """The node whose signer answered."""

    def to_bytes(self) -> bytes:
        if self.refused:
            said: dict[str, Any] = {"refused": self.refused[:MAX_REFUSAL_CHARACTERS]}
        else:
            said = {"chain": self.chain_pem, "csr_sha256": self.csr_sha256}
        return canonical({"schema": SCHEMA, "nonce": self.nonce, "signer": self.signer, **said})

    @classmethod
    def from_bytes(cls, value: bytes) -> Answer:
        """Raises DocumentError. Checks the form only."""
        document = parse_object(value)
        fields = Fields(document)
        fields.schema(SCHEMA)
        nonce, signer = fields.text("nonce"), fields.text("signer")
        if "refused" in document:
            refused = fields.text("refused")[:MAX_REFUSAL_CHARACTERS]
            return cls(nonce, refused=refused or "no reason given", signer=signer)
        return cls(nonce, fields.text("csr_sha256"), fields.text("chain"), signer=signer)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a node remembers of a request it sent; the new key is nowhere else."""

    request: SigningRequest
    spiffe_id: str
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def ask(
    node: str,
    service: str,
    *,
    spiffe_id: str,
    session: str,
    node_key: NodeKey,
    now: datetime,
) -> Asked:
    """A request for a new key, made here."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = SigningRequest(
        node=node,
        service=service,
        session=session,
        time_unix_s=int(now.timestamp()),
        nonce=os.urandom(NONCE_BYTES).hex(),
        csr_pem=make_csr(key, spiffe_id),
        public_key=node_key.public_key,
    )
    return Asked(request.signed(node_key), spiffe_id, key)


def nonce_of(value: bytes) -> str | None:
    """The nonce of a request or answer that may be wrong otherwise, so that its refusal finds the right reader."""
    try:
        return _nonce(Fields(parse_object(value)))
    except DocumentError:
        return None


def _nonce(fields: Fields) -> str:
    nonce = fields.text("nonce")
    if len(nonce) != 2 * NONCE_BYTES or not nonce.isascii() or not nonce.isalnum():
        raise DocumentError(f'its field "nonce" is not {2 * NONCE_BYTES} letters and digits')
    return nonce


def _message(document: dict[str, Any]) -> bytes:
    return SIGNATURE_CONTEXT + canonical(document)
