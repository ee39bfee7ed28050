"""Certificates for tests of the edge: good ones, and each kind of bad one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

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
) -> Made:
    """A certificate for these hosts, by default good for a year around today."""
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
    certificate = builder.sign(issuer.private if issuer else private, hashes.SHA256())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Made(certificate.public_bytes(Encoding.PEM).decode(), pem.decode(), certificate, private)


def weak_key() -> rsa.RSAPrivateKey:
    """An RSA key that nobody takes any more."""
    return rsa.generate_private_key(65537, 1024)  # noqa: S505  (that is what is refused)
