"""The certificate that the edge shows while it has no other: made here, signed by itself. Nobody is meant to believe it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .canonical import Fields
from .edge_certificate import EdgeCertificate, paired, read_chain
from .errors import DocumentError, EdgeCertificateError, PrivateFileError
from .files import read_checked, with_checksum, write_private

DEFAULT_HOST = "_default"
"""The proxy's name for what is shown where no other certificate fits."""
LIFE = timedelta(days=90)
RENEWED = timedelta(days=30)
"""Before its end; browsers that were told to go on are asked anew then."""
CLOCK_SLACK = timedelta(minutes=5)
SCHEMA = 1


def load_or_make(path: Path, node: str, now: datetime) -> EdgeCertificate:
    """The one in the file while it lasts, else a new one, which is written there, 0600. Raises PrivateFileError."""
    try:
        kept = _load(path)
    except (PrivateFileError, DocumentError, EdgeCertificateError):
        # It guards nothing: a damaged one is made anew.
        kept = None
    if kept is not None and now + RENEWED < _end(kept):
        return kept
    made = make(node, now)
    body = {"schema": SCHEMA, "certificate": made.chain_pem, "key": made.key_pem}
    write_private(path, with_checksum(body))
    return made


def make(node: str, now: datetime) -> EdgeCertificate:
    """A new one with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"meshnode edge on {node}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SLACK)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return paired(DEFAULT_HOST, certificate.public_bytes(Encoding.PEM).decode(), pem)


def _load(path: Path) -> EdgeCertificate | None:
    body = read_checked(path)
    if body is None:
        return None
    fields = Fields(body)
    fields.schema(SCHEMA)
    return paired(DEFAULT_HOST, fields.text("certificate"), fields.text("key").encode())


def _end(certificate: EdgeCertificate) -> datetime:
    return read_chain(certificate.chain_pem)[0].not_valid_after_utc
