"""Keys and certificates: who a service is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .builtin import Builtin
    from .errors import CertificateError, PrivateFileError, StoreError
    from .history_judge import HistoryJudge
    from .history_key import HistoryKey
    from .identity import Identity, renew_at
    from .joining import OWN_FILES, MeshCa, check_key, keep_key, key_file, pinned_ca, standing_ca
    from .keys import CA_PREFIX, ROOTS_KEY, SIGNER_KEY
    from .node_key import NodeKey, fingerprint_of, session_name_of, verify_signature
    from .provider import CertificateProblem, Provider
    from .settings import CertificateSettings
    from .spiffe import service_id
    from .store import Entry, SessionInfo, Store

__all__ = [
    "CA_PREFIX",
    "OWN_FILES",
    "ROOTS_KEY",
    "SIGNER_KEY",
    "Builtin",
    "CertificateError",
    "CertificateProblem",
    "CertificateSettings",
    "Entry",
    "HistoryJudge",
    "HistoryKey",
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

# Each name is loaded from its file when somebody first asks for it, so that a command starts with what it needs alone.
_FILES = {
    "Builtin": "builtin",
    "CA_PREFIX": "keys",
    "CertificateError": "errors",
    "CertificateProblem": "provider",
    "CertificateSettings": "settings",
    "Entry": "store",
    "HistoryJudge": "history_judge",
    "HistoryKey": "history_key",
    "Identity": "identity",
    "MeshCa": "joining",
    "NodeKey": "node_key",
    "OWN_FILES": "joining",
    "PrivateFileError": "errors",
    "Provider": "provider",
    "ROOTS_KEY": "keys",
    "SIGNER_KEY": "keys",
    "SessionInfo": "store",
    "Store": "store",
    "StoreError": "errors",
    "check_key": "joining",
    "fingerprint_of": "node_key",
    "keep_key": "joining",
    "key_file": "joining",
    "pinned_ca": "joining",
    "renew_at": "identity",
    "service_id": "spiffe",
    "session_name_of": "node_key",
    "standing_ca": "joining",
    "verify_signature": "node_key",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name from its file (PEP 562)."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_FILES[name]}", __name__), name)
