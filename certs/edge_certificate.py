"""Certificates of the edge as people hand them over: whether chain, key and host fit together. Keeps and seals nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from .errors import EdgeCertificateError

Part = Literal["certificate", "key", "client_certificates"]

CHAIN_LENGTH = 8
"""A leaf, and the steps of a few cross-signed authorities; the proxy takes twice that."""
AUTHORITIES = 64
"""As the proxy takes for one host."""
RSA_BITS_MIN = 2048
"""Below, no browser takes it, and it can be broken."""
ENDS_SOON = timedelta(days=14)
"""Who renews by hand needs that long."""
CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class EdgeCertificate:
    """A chain with its key, for one host: `shop.example`, `*.shop.example`, or the proxy's name of its default one."""

    host: str
    chain_pem: str
    key_pem: str = field(repr=False)
    not_after_unix_s: int
    fingerprint: str
    """SHA-256 of the leaf, in hex."""

    def document(self) -> dict[str, Any]:
        """The body of `PUT /v1/certificates/<host>`; it holds the key."""
        return {
            "host": self.host,
            "certificate_chain_pem": self.chain_pem,
            "private_key_pem": self.key_pem,
        }


def read_chain(pem: str) -> tuple[x509.Certificate, ...]:
    """The certificates, the leaf first, each signed by the next. Raises EdgeCertificateError."""
    chain = _certificates(pem, "certificate", CHAIN_LENGTH)
    _check_key(chain[0])
    for number, (one, issuer) in enumerate(pairwise(chain), start=1):
        try:
            one.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError, TypeError) as error:
            sentence = f"certificate {number + 1} of the chain did not sign certificate {number}: the host's own stands first, then each one's issuer"
            raise EdgeCertificateError("certificate", sentence) from error
    return chain


def read_authorities(pem: str) -> tuple[x509.Certificate, ...]:
    """Certificates of authorities that clients' are signed by. Raises EdgeCertificateError."""
    found = _certificates(pem, "client_certificates", AUTHORITIES)
    for one in found:
        try:
            is_authority = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            name = one.subject.rfc4514_string()
            sentence = f"{name} is no authority's certificate: no other could be signed by it"
            raise EdgeCertificateError("client_certificates", sentence)
    return found


def names_of(leaf: x509.Certificate) -> list[str]:
    """The hosts a certificate is for, in lower case."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def fingerprint_of_certificate(leaf: x509.Certificate) -> str:
    """The SHA-256 of a certificate, in hex."""
    return leaf.fingerprint(hashes.SHA256()).hex()


def check_host(chain: tuple[x509.Certificate, ...], host: str) -> None:
    """Whether the leaf's names cover the host. Raises EdgeCertificateError."""
    found = names_of(chain[0])
    above = host.partition(".")[2]
    if host in found or (not host.startswith("*.") and above and f"*.{above}" in found):
        return
    has = ", ".join(found[:5]) or "no host"
    raise EdgeCertificateError("certificate", f"the certificate is for {has}, not for {host}")


def date_sentence(chain: tuple[x509.Certificate, ...], now: datetime) -> tuple[str, bool] | None:
    """What is wrong with the leaf's dates, and whether no client takes it for that; None: nothing."""
    leaf = chain[0]
    if leaf.not_valid_after_utc <= now:
        return f"the certificate ended at {_time(leaf.not_valid_after_utc)}", True
    if leaf.not_valid_before_utc > now:
        begins = _time(leaf.not_valid_before_utc)
        return f"the certificate is valid from {begins} on, which is still to come", True
    if leaf.not_valid_after_utc <= now + ENDS_SOON:
        return f"the certificate ends at {_time(leaf.not_valid_after_utc)}: put a new one", False
    return None


def paired(host: str, chain_pem: str, key_pem: bytes) -> EdgeCertificate:
    """Chain and key, where they belong together. Raises EdgeCertificateError, which quotes neither."""
    chain = read_chain(chain_pem)
    try:
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError) as error:
        sentence = "the key can't be read: it is no PEM of a private key, or it has a password"
        raise EdgeCertificateError("key", sentence) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != chain[0].public_key().public_bytes(*form):
        raise EdgeCertificateError("key", "the key is not that of the certificate")
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return EdgeCertificate(
        host,
        "".join(one.public_bytes(Encoding.PEM).decode() for one in chain),
        plain.decode(),
        int(chain[0].not_valid_after_utc.timestamp()),
        fingerprint_of_certificate(chain[0]),
    )


def _certificates(pem: str, part: Part, most: int) -> tuple[x509.Certificate, ...]:
    try:
        found = tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError as error:
        sentence = "it holds no certificate in PEM (-----BEGIN CERTIFICATE-----), or a damaged one"
        raise EdgeCertificateError(part, sentence) from error
    if len(found) > most:
        raise EdgeCertificateError(part, f"it holds {len(found)} certificates; at most {most} do")
    return found


def _check_key(leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS_MIN:
        sentence = f"its RSA key has {key.key_size} bits, which is weak: {RSA_BITS_MIN} at least"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in CURVES:
        sentence = f"its key is on the curve {key.curve.name}, which is not spoken: P-256 is"
    elif isinstance(key, dsa.DSAPublicKey) or not isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
    ):
        sentence = "its key is of a kind that TLS has no use for: ECDSA on P-256, or RSA"
    else:
        return
    raise EdgeCertificateError("certificate", sentence)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
