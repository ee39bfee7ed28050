"""The CA: makes roots and leaves out of values it is given. Checks no request, stores nothing, talks to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .canonical import sha256
from .errors import AuthorityError
from .settings import CLOCK_TOLERANCE_S, SHORTEST_LEAF_S
from .spiffe import trust_domain_id

# A root begins earlier than any leaf of a machine whose clock is a little behind.
ROOT_BACKDATE = timedelta(hours=1)
LEAF_BACKDATE = timedelta(seconds=CLOCK_TOLERANCE_S)
TLS_USAGES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
# RFC 9336: such a leaf opens no connection.
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


@dataclass(frozen=True, slots=True)
class Authority:
    """A root and its key. The trust domain is the root's own."""

    trust_domain: str
    root: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if self.root.public_key() != self.key.public_key():
            raise ValueError("the CA key does not belong to the root")

    @property
    def root_fingerprint(self) -> str:
        return certificate_fingerprint(self.root)

    def issue(
        self,
        public_key: ec.EllipticCurvePublicKey,
        spiffe_id: str,
        *,
        now: datetime,
        ttl_s: int,
        usages: Sequence[x509.ObjectIdentifier] = TLS_USAGES,
    ) -> str:
        """The chain in PEM, leaf first, the root left out. Raises AuthorityError.

        The leaf names `spiffe_id` alone, serves `usages` (both sides of TLS, unless told otherwise), begins CLOCK_TOLERANCE_S before `now` and ends
        `ttl_s` after it, but never outlives the root (RFC 5280; SPIFFE X509-SVID).
        """
        not_before = max(now - LEAF_BACKDATE, self.root.not_valid_before_utc)
        not_after = min(now + timedelta(seconds=ttl_s), self.root.not_valid_after_utc)
        if now < self.root.not_valid_before_utc:
            raise AuthorityError(
                f"the CA's root begins on {self.root.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, later than this "
                "machine's clock says it is: set the clock"
            )
        if not_after - now < timedelta(seconds=SHORTEST_LEAF_S):
            raise AuthorityError(
                f"the CA's root ends on {self.root.not_valid_after_utc:%Y-%m-%d %H:%M} UTC: no leaf can be made "
                "before there is a new root"
            )
        return to_pem(self._leaf(public_key, spiffe_id, not_before, not_after, usages))

    def _leaf(
        self,
        public_key: ec.EllipticCurvePublicKey,
        spiffe_id: str,
        not_before: datetime,
        not_after: datetime,
        usages: Sequence[x509.ObjectIdentifier],
    ) -> x509.Certificate:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            # RFC 5280 §4.2.1.6: critical where the subject is empty.
            .add_extension(names, critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(is_ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(issuer_key, critical=False)
            .sign(self.key, hashes.SHA256())
        )


def create_authority(trust_domain: str, *, now: datetime, ttl_s: int) -> Authority:
    """A new P-256 key with its self-signed root, whose only name is the trust domain's."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "meshnode"),
            # Rotated roots of one trust domain need different names: a verifier looks an issuer up by name.
            x509.NameAttribute(
                NameOID.COMMON_NAME, f"meshnode CA {x509.random_serial_number():x}"[:40]
            ),
        ]
    )
    names = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(trust_domain_id(trust_domain))]
    )
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - ROOT_BACKDATE)
        .not_valid_after(now + timedelta(seconds=ttl_s))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(is_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(trust_domain, root, key)


def certificate_fingerprint(certificate: x509.Certificate) -> str:
    """`sha256:` and the hash of the certificate's DER in hex."""
    return sha256(certificate.public_bytes(serialization.Encoding.DER))


def to_pem(*certificates: x509.Certificate) -> str:
    return "".join(
        certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
        for certificate in certificates
    )


def _key_usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
