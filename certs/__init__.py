"""Keys and certificates: who a service is."""

from .builtin import Builtin
from .errors import CertificateError, PrivateFileError, StoreError
from .identity import Identity, renew_at
from .joining import (
    OWN_FILES,
    MeshCa,
    check_key,
    keep_key,
    key_file,
    pinned_ca,
    standing_ca,
)
from .keys import CA_PREFIX
from .node_key import NodeKey, fingerprint_of, session_name_of, verify_signature
from .provider import CertificateProblem, Provider
from .settings import CertificateSettings
from .spiffe import service_id
from .store import Entry, SessionInfo, Store

__all__ = [
    "CA_PREFIX",
    "OWN_FILES",
    "Builtin",
    "CertificateError",
    "CertificateProblem",
    "CertificateSettings",
    "Entry",
    "Identity",
    "MeshCa",
    "NodeKey",
    "PrivateFileError",
    "Provider",
    "SessionInfo",
    "Store",
    "StoreError",
    "check_key",
    "fingerprint_of",
    "keep_key",
    "key_file",
    "pinned_ca",
    "renew_at",
    "service_id",
    "session_name_of",
    "standing_ca",
    "verify_signature",
]
