"""Certificates and signing requests as an attacker, or a mistake, would make them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from certs.authority import Authority
from tests.unit.certs.mesh import NOW

OTHER_NAMES: tuple[x509.GeneralName, ...] = (
    x509.DNSName("web.example"),
    x509.RFC822Name("web@example"),
    x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
    x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def uri(name: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(name)


def csr(
    names: Sequence[x509.GeneralName],
    *,
    key: Key | None = None,
    subject: str = "",
    extensions: Sequence[x509.ExtensionType] = (),
    attribute: bytes = b"",
) -> str:
    """PEM; no names at all when `names` is empty."""
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    for extension in (*([x509.SubjectAlternativeName(names)] if names else []), *extensions):
        builder = builder.add_extension(extension, critical=False)
    if attribute:
        challenge = x509.ObjectIdentifier("1.2.840.113549.1.9.7")
        builder = builder.add_attribute(challenge, attribute)
    signed = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def altered_csr(pem: str) -> str:
    """The same CSR with the last byte of its signature changed."""
    der = bytearray(x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()


def certificate(
    issuer: Authority,
    public_key: ec.EllipticCurvePublicKey,
    *,
    subject: x509.Name | None = None,
    extensions: Sequence[x509.ExtensionType] = (),
    life: timedelta = timedelta(days=1),
) -> x509.Certificate:
    """Signed with the issuer's key and in its name, with these extensions and no others."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or x509.Name([]))
        .issuer_name(issuer.root.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(minutes=5))
        .not_valid_after(NOW + life)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def cross_signed(new: Authority, by: Authority) -> x509.Certificate:
    """The new CA's name and key, certified by another CA."""
    return certificate(
        by,
        new.key.public_key(),
        subject=new.root.subject,
        extensions=[x509.BasicConstraints(ca=True, path_length=None)],
    )
