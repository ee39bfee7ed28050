"""Certificates for the mesh hop, the same for every peer: a P-256 root, a client's and a server's leaf. Kept in files."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

TRUST_DOMAIN = "bench0000.consul"
# Longer than any run, and no longer.
LIFE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One side's files, and what a mesh node needs beside them."""

    service: str
    certificate: Path
    """The leaf alone: it is signed by the root."""
    key: Path
    both: Path
    """Certificate and key in one file, as HAProxy wants them."""
    not_after: datetime

    @property
    def spiffe_id(self) -> str:
        return spiffe_id(self.service)

    @property
    def name(self) -> str:
        """The DNS name in the leaf: what peers without SPIFFE check."""
        return dns_name(self.service)


@dataclass(frozen=True, slots=True)
class Certificates:
    """All a hop needs."""

    root: Path
    client: Leaf
    server: Leaf


def create(folder: Path, *, now: datetime | None = None) -> Certificates:
    """New ones, in `folder`. The keys are readable by their owner alone."""
    begin = now or datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench root")])
    root = (
        _builder(name, key.public_key(), begin)
        .subject_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "root.pem"
    path.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    client, server = (_leaf(folder, service, root, key, begin) for service in ("edge", "web"))
    return Certificates(path, client, server)


def spiffe_id(service: str) -> str:
    return f"spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{service}"


def dns_name(service: str) -> str:
    return f"{service}.default.dc1.internal.{TRUST_DOMAIN}"


def _leaf(
    folder: Path,
    service: str,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    begin: datetime,
) -> Leaf:
    key = ec.generate_private_key(ec.SECP256R1())
    # The names the peers check: SPIFFE's (one URI), DNS and the address.
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(spiffe_id(service)),
        x509.DNSName(dns_name(service)),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    leaf = (
        _builder(root.subject, key.public_key(), begin)
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    certificate_pem = leaf.public_bytes(serialization.Encoding.PEM)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    made = Leaf(
        service=service,
        certificate=folder / f"{service}.pem",
        key=folder / f"{service}.key",
        both=folder / f"{service}.both.pem",
        not_after=leaf.not_valid_after_utc,
    )
    made.certificate.write_bytes(certificate_pem)
    for path, content in ((made.key, key_pem), (made.both, certificate_pem + key_pem)):
        path.touch(0o600)
        path.write_bytes(content)
    return made


def _builder(
    issuer: x509.Name, public: ec.EllipticCurvePublicKey, begin: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - timedelta(minutes=5))
        .not_valid_after(begin + LIFE)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
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
