"""Certificate signing requests for exactly one SPIFFE name: making one, and refusing all others. No I/O."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID

from .errors import RequestError

# PKCS #9 extensionRequest, the attribute that carries the names a CSR asks for (RFC 2985 §5.4.2).
EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")


def make_csr(key: ec.EllipticCurvePrivateKey, spiffe_id: str) -> str:
    """PEM; no subject, and the one name."""
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.add_extension(names, critical=True).sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode("ascii")


def check_csr(csr_pem: str, spiffe_id: str) -> ec.EllipticCurvePublicKey:
    """The key to certify, when the CSR asks for exactly this name with a P-256 key; else a RequestError says why not."""
    csr = _load(csr_pem)
    key = _p256_key(csr)
    if not csr.is_signature_valid:
        raise RequestError("the CSR's signature is wrong: who sent it does not hold its key")
    if len(csr.subject) > 0:
        raise RequestError("the CSR has a subject; it may only ask for its SPIFFE name")
    if any(attribute.oid != EXTENSION_REQUEST for attribute in csr.attributes):
        raise RequestError("the CSR has attributes; it may only ask for its SPIFFE name")
    _check_extensions(csr, spiffe_id)
    return key


def _load(csr_pem: str) -> x509.CertificateSigningRequest:
    try:
        return x509.load_pem_x509_csr(csr_pem.encode("ascii"))
    # InvalidVersion is no ValueError.
    except (ValueError, x509.InvalidVersion) as error:
        raise RequestError("its CSR is no CSR in PEM") from error


def _p256_key(csr: x509.CertificateSigningRequest) -> ec.EllipticCurvePublicKey:
    try:
        key = csr.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise RequestError("the CSR's key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RequestError("the CSR's key is no P-256 key")
    return key


def _check_extensions(csr: x509.CertificateSigningRequest, spiffe_id: str) -> None:
    try:
        extensions = list(csr.extensions)
    except (ValueError, x509.DuplicateExtension) as error:
        raise RequestError(f"the CSR's extensions cannot be read: {error}") from error
    others = [e for e in extensions if e.oid != ExtensionOID.SUBJECT_ALTERNATIVE_NAME]
    if others:
        name = getattr(others[0].oid, "_name", others[0].oid.dotted_string)
        raise RequestError(f"the CSR asks for {name}; it may only ask for its SPIFFE name")
    names = [name for e in extensions for name in _general_names(e.value)]
    if len(names) != 1:
        raise RequestError(f"the CSR asks for {len(names)} names; exactly one is allowed")
    _check_name(names[0], spiffe_id)


def _general_names(value: x509.ExtensionType) -> list[x509.GeneralName]:
    return list(value) if isinstance(value, x509.SubjectAlternativeName) else []


def _check_name(name: x509.GeneralName, spiffe_id: str) -> None:
    if not isinstance(name, x509.UniformResourceIdentifier):
        raise RequestError(f"the CSR asks for a {type(name).__name__}; only a URI is allowed")
    if "\0" in name.value:
        # Said apart: Envoy (CVE-2025-66220) and others once stopped reading a name here.
        raise RequestError("the CSR's name has a NUL in it")
    if name.value != spiffe_id:
        raise RequestError(
            f"the CSR asks for {name.value[:300]!r}; this request may ask for {spiffe_id} only"
        )
