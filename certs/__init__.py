"""Keys and certificates: who a service is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .builtin import Builtin
    from .edge_certificate import (
        EdgeCertificate,
        check_host,
        date_sentence,
        fingerprint_of_certificate,
        names_of,
        paired,
        read_authorities,
        read_chain,
    )
    from .edge_default import DEFAULT_HOST, load_or_make
    from .edge_sealing import is_sealed, open_key, seal_key, ticket_keys
    from .errors import (
        CertificateError,
        EdgeCertificateError,
        PrivateFileError,
        SealError,
        StoreError,
    )
    from .history_judge import HistoryJudge
    from .history_key import HistoryKey
    from .identity import Identity, renew_at
    from .joining import OWN_FILES, MeshCa, check_key, keep_key, key_file, pinned_ca, standing_ca
    from .keys import CA_PREFIX, ROOTS_KEY, SIGNER_KEY
    from .node_key import NodeKey, fingerprint_of, session_name_of, verify_signature
    from .provider import CertificateProblem, Provider
    from .sealing import KeyEncryptionKey
    from .settings import CertificateSettings
    from .spiffe import service_id
    from .store import Entry, SessionInfo, Store

__all__ = [
    "CA_PREFIX",
    "DEFAULT_HOST",
    "OWN_FILES",
    "ROOTS_KEY",
    "SIGNER_KEY",
    "Builtin",
    "CertificateError",
    "CertificateProblem",
    "CertificateSettings",
    "EdgeCertificate",
    "EdgeCertificateError",
    "Entry",
    "HistoryJudge",
    "HistoryKey",
    "Identity",
    "KeyEncryptionKey",
    "MeshCa",
    "NodeKey",
    "PrivateFileError",
    "Provider",
    "SealError",
    "SessionInfo",
    "Store",
    "StoreError",
    "check_host",
    "check_key",
    "date_sentence",
    "fingerprint_of",
    "fingerprint_of_certificate",
    "is_sealed",
    "keep_key",
    "key_file",
    "load_or_make",
    "names_of",
    "open_key",
    "paired",
    "pinned_ca",
    "read_authorities",
    "read_chain",
    "renew_at",
    "seal_key",
    "service_id",
    "session_name_of",
    "standing_ca",
    "ticket_keys",
    "verify_signature",
]

# Each name is loaded from its file when somebody first asks for it, so that a command starts with what it needs alone.
_FILES = {
    "names_of": "edge_certificate",
    "fingerprint_of_certificate": "edge_certificate",
    "EdgeCertificate": "edge_certificate",
    "EdgeCertificateError": "errors",
    "KeyEncryptionKey": "sealing",
    "SealError": "errors",
    "check_host": "edge_certificate",
    "date_sentence": "edge_certificate",
    "is_sealed": "edge_sealing",
    "open_key": "edge_sealing",
    "paired": "edge_certificate",
    "read_authorities": "edge_certificate",
    "read_chain": "edge_certificate",
    "seal_key": "edge_sealing",
    "ticket_keys": "edge_sealing",
    "load_or_make": "edge_default",
    "DEFAULT_HOST": "edge_default",
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
