"""Keys and certificates: who a service is."""

from .builtin import Builtin
from .errors import CertificateError, PrivateFileError, StoreError
from .identity import Identity, renew_at
from .keys import CA_PREFIX
from .node_key import NodeKey, fingerprint_of, session_name_of, verify_signature
from .provider import CertificateProblem, Provider
from .settings import CertificateSettings
from .spiffe import service_id
from .store import Entry, SessionInfo, Store

__all__ = [
    "CA_PREFIX",
    "Builtin",
    "CertificateError",
    "CertificateProblem",
    "CertificateSettings",
    "Entry",
    "Identity",
    "NodeKey",
    "PrivateFileError",
    "Provider",
    "SessionInfo",
    "Store",
    "StoreError",
    "fingerprint_of",
    "renew_at",
    "service_id",
    "session_name_of",
    "verify_signature",
]
