"""Certificates for tests of the edge: good ones, and each kind of bad one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A certificate with its key, both in PEM."""

    certificate: str
    key: str
    x509: x509.Certificate
    private: Any


def made(
    *hosts: str,
    issuer: Made | None = None,
    key: Any = None,
    is_authority: bool = False,
    begin: datetime | None = None,
    end: datetime | None = None,
    name: str = "test",
    is_public: bool = False,
) -> Made:
    """A certificate for these hosts, by default good for a year around today; `is_public` as browsers want it."""
    private = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin or now - timedelta(days=1))
        .not_valid_after(end or now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    if is_public:
        builder = _for_browsers(builder, private, issuer.private if issuer else private)
    certificate = builder.sign(issuer.private if issuer else private, hashes.SHA256())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Made(certificate.public_bytes(Encoding.PEM).decode(), pem.decode(), certificate, private)


def _for_browsers(
    builder: x509.CertificateBuilder, private: Any, issuer: Any
) -> x509.CertificateBuilder:
    """With all that public authorities have to say (CA/Browser Forum, baseline requirements 7.1.2)."""
    is_authority = private is issuer
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(usage, critical=True)
    own = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    builder = builder.add_extension(own, critical=False)
    if is_authority:
        return builder
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())
    lists = [x509.UniformResourceIdentifier("http://authority.test/list.crl")]
    revoked = x509.CRLDistributionPoints([x509.DistributionPoint(lists, None, None, None)])
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    for extension in (above, revoked, purposes):
        builder = builder.add_extension(extension, critical=False)
    return builder


def weak_key() -> rsa.RSAPrivateKey:
    """An RSA key that nobody takes any more."""
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  (that is what is refused)
