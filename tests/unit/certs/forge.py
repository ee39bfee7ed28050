"""Certificates and signing requests as an attacker, or a mistake, would make them."""

from __future__ import annotations

import base64
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


def csr_of_version(text: str, version: int) -> str:
    """The same CSR under another version number, which only 0 is (RFC 2986 §4.1); its signature does not fit any more."""
    der = x509.load_pem_x509_csr(text.encode()).public_bytes(serialization.Encoding.DER)
    return pem(_altered(der, b"\x02\x01\x00", bytes([2, 1, version])), "CERTIFICATE REQUEST")


def unreadable_certificates(text: str) -> dict[str, str]:
    """The certificate with each part the library reads late made unreadable, by the part."""
    der = x509.load_pem_x509_certificate(text.encode()).public_bytes(serialization.Encoding.DER)
    parts = {
        "a key of an unknown kind": (
            b"\x2a\x86\x48\xce\x3d\x02\x01",
            b"\x2a\x86\x48\xce\x3d\x02\x7f",
        ),
        "an unknown curve": (
            b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
            b"\x2a\x86\x48\xce\x3d\x03\x01\x7f",
        ),
        "a key that is no point": (b"\x03\x42\x00\x04", b"\x03\x42\x00\x05"),
        "a subject that is no UTF-8": (b"meshnode", b"\xff\xfe\xff\xfe\xff\xfe\xff\xfe"),
    }
    return {part: pem(_altered(der, old, new), "CERTIFICATE") for part, (old, new) in parts.items()}


def _altered(der: bytes, old: bytes, new: bytes) -> bytes:
    assert old in der
    return der.replace(old, new)


def pem(der: bytes, label: str) -> str:
    """PEM around whatever the bytes are."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


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
