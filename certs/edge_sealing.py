"""Keys of the edge's certificates in Consul, and of its session tickets: both by the key-encryption key. Stores nothing."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import SealError
from .sealing import NONCE_BYTES, KeyEncryptionKey

FORM = "sealed-v1"
"""What a sealed key begins with: `sealed-v1:<id of the key-encryption key>:<base64>`."""
_KEY_CONTEXT = b"meshnode edge certificate key v1"
_TICKET_CONTEXT = b"meshnode session ticket key v1\n"
HOUR_S = 3600


def seal_key(key: KeyEncryptionKey, host: str, key_pem: bytes) -> str:
    """A certificate's key as it may stand in Consul: it opens for this host alone."""
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key.derived(_KEY_CONTEXT)).encrypt(nonce, key_pem, host.encode())
    return f"{FORM}:{key.id}:{b64encode(nonce + sealed).decode()}"


def is_sealed(text: str) -> bool:
    """Whether it says of itself that it is a sealed key."""
    return text.startswith("sealed-")


def open_key(key: KeyEncryptionKey, host: str, sealed: str) -> bytes:
    """The key in PEM. Raises SealError: sealed by another key, for another host, altered, or in a newer form."""
    form, _, rest = sealed.strip().partition(":")
    key_id, _, text = rest.partition(":")
    if form != FORM:
        raise SealError("it is sealed in a form this version does not know")
    if key_id != key.id:
        raise SealError(
            f"it is sealed with the key-encryption key {key_id}, and this node's is {key.id}"
        )
    try:
        data = b64decode(text, validate=True)
        cipher = AESGCM(key.derived(_KEY_CONTEXT))
        return cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], host.encode())
    except (InvalidTag, ValueError) as error:
        raise SealError(f"it was sealed for another host than {host}, or altered") from error


def ticket_keys(key: KeyEncryptionKey, now_unix_s: float) -> dict[str, Any]:
    """The body of `PUT /v1/ticket-keys`: this hour's key, the next one's and the last one's; the same on every node."""
    hour = int(now_unix_s) // HOUR_S
    return {
        "keys": [
            {
                "secret": key.derived(_TICKET_CONTEXT + str(number).encode()).hex(),
                "makes_until_unix_s": (number + 1) * HOUR_S,
                "takes_until_unix_s": (number + 2) * HOUR_S,
            }
            for number in (hour, hour + 1, hour - 1)
        ]
    }
