"""The CA's two documents in KV: the sealed key with its root, and the roots to trust. Decides nothing about trust."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .authority import Authority, certificate_fingerprint, to_pem
from .canonical import Fields, canonical, parse_object
from .errors import DocumentError, SealError
from .sealing import KeyEncryptionKey, Sealed
from .spiffe import is_trust_domain

SCHEMA = 1
# One in force, one coming, one going, and room for a mistake.
MAX_ROOTS = 8


@dataclass(frozen=True, slots=True)
class AuthorityDocument:
    """`meshnode/ca/key`: the whole CA in one value, so that no half of it can ever stand there alone."""

    trust_domain: str
    root: x509.Certificate
    sealed: Sealed
    created_unix_s: int
    created_by: str
    """The node that made it: the one to copy the key-encryption key from."""

    @classmethod
    def seal(
        cls, authority: Authority, key: KeyEncryptionKey, *, node: str, now: datetime
    ) -> AuthorityDocument:
        plaintext = authority.key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        context = _context(authority.trust_domain, authority.root)
        sealed = key.seal(plaintext, context)
        return cls(authority.trust_domain, authority.root, sealed, int(now.timestamp()), node)

    def open(self, key: KeyEncryptionKey) -> Authority:
        """Raises SealError when it does not open with this key, or holds another root's key."""
        plaintext = key.open(self.sealed, _context(self.trust_domain, self.root))
        try:
            private = serialization.load_der_private_key(plaintext, password=None)
            if not isinstance(private, ec.EllipticCurvePrivateKey):
                raise SealError("it holds a key of another kind")
            return Authority(self.trust_domain, self.root, private)
        except ValueError as error:
            raise SealError(f"what it holds is not the root's key: {error}") from error

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "schema": SCHEMA,
                "trust_domain": self.trust_domain,
                "root_pem": to_pem(self.root),
                "root_sha256": certificate_fingerprint(self.root),
                "sealed": self.sealed.to_json(),
                "created_unix_s": self.created_unix_s,
                "created_by": self.created_by,
            }
        )

    @classmethod
    def from_bytes(cls, value: bytes) -> AuthorityDocument:
        """Raises DocumentError."""
        document = parse_object(value)
        fields = Fields(document)
        fields.schema(SCHEMA)
        return cls(
            _trust_domain(fields),
            load_certificates(fields.text("root_pem"), at_most=1)[0],
            Sealed.from_json(document.get("sealed")),
            fields.integer("created_unix_s"),
            fields.text("created_by"),
        )


@dataclass(frozen=True, slots=True)
class RootsDocument:
    """`meshnode/ca/roots`: what every node is to trust, with proofs for those that pinned an older root.

    `cross_signed` are certificates of new roots' keys, signed by older roots.
    """

    trust_domain: str
    roots: tuple[x509.Certificate, ...]
    created_unix_s: int
    cross_signed: tuple[x509.Certificate, ...] = ()

    def to_bytes(self) -> bytes:
        return canonical(
            {
                "schema": SCHEMA,
                "trust_domain": self.trust_domain,
                "roots": [to_pem(root) for root in self.roots],
                "cross_signed": [to_pem(certificate) for certificate in self.cross_signed],
                "created_unix_s": self.created_unix_s,
            }
        )

    @classmethod
    def from_bytes(cls, value: bytes) -> RootsDocument:
        """Raises DocumentError."""
        fields = Fields(parse_object(value))
        fields.schema(SCHEMA)
        return cls(
            _trust_domain(fields),
            _each(fields.texts("roots")),
            fields.integer("created_unix_s"),
            _each(fields.texts("cross_signed")),
        )


def load_certificates(pem: str, *, at_most: int) -> tuple[x509.Certificate, ...]:
    """The certificates in a PEM text, in its order. Raises DocumentError for none, for more, and for garbage.

    Their names, keys and extensions can be read: the library looks at them only when it is asked, and would raise there.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem.encode("ascii"))
    except (ValueError, x509.InvalidVersion) as error:
        raise DocumentError("it holds no certificate in PEM") from error
    if len(certificates) > at_most:
        raise DocumentError(f"it holds {len(certificates)} certificates, more than {at_most}")
    for certificate in certificates:
        _check_readable(certificate)
    return tuple(certificates)


def from_unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _check_readable(certificate: x509.Certificate) -> None:
    try:
        certificate.public_key()
        _ = certificate.subject, certificate.issuer, certificate.extensions
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise DocumentError(f"it holds a certificate that cannot be read: {error}") from error


def _each(pems: tuple[str, ...]) -> tuple[x509.Certificate, ...]:
    if len(pems) > MAX_ROOTS:
        raise DocumentError(f"it holds {len(pems)} roots, more than {MAX_ROOTS}")
    return tuple(load_certificates(pem, at_most=1)[0] for pem in pems)


def _trust_domain(fields: Fields) -> str:
    name = fields.text("trust_domain")
    if not is_trust_domain(name):
        raise DocumentError(f"{name[:100]!r} is no trust domain")
    return name


def _context(trust_domain: str, root: x509.Certificate) -> bytes:
    """What the sealed key is bound to: put beside another root, it does not open."""
    return f"meshnode ca key\n{trust_domain}\n{certificate_fingerprint(root)}".encode()
