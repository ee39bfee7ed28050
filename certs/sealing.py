"""The key that encrypts the CA key in KV, and its file. Never writes either key anywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .canonical import Fields, decode_base64, encode_base64, sha256
from .errors import DocumentError, PrivateFileError, SealError
from .files import checked_body, create_private, read_private, with_checksum

SCHEMA = 1
ALGORITHM = "AES-256-GCM"
KEY_BYTES = 32
NONCE_BYTES = 12
# Tells keys apart in messages; short, because people compare it by eye.
KEY_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted value with its header: which algorithm, which key, which nonce."""

    key_id: str
    nonce: bytes
    ciphertext: bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "algorithm": ALGORITHM,
            "key_id": self.key_id,
            "nonce": encode_base64(self.nonce),
            "ciphertext": encode_base64(self.ciphertext),
        }

    @classmethod
    def from_json(cls, document: Any) -> Sealed:
        """Raises DocumentError for anything this version cannot open."""
        if not isinstance(document, Mapping):
            raise DocumentError("its sealed part is no JSON object")
        fields = Fields(document)
        fields.schema(SCHEMA)
        if fields.text("algorithm") != ALGORITHM:
            raise DocumentError(f"it is sealed by {fields.text('algorithm')!r}, not {ALGORITHM}")
        return cls(fields.text("key_id"), fields.data("nonce"), fields.data("ciphertext"))


class KeyEncryptionKey:
    """32 random bytes that seal and open the CA key; in no repr."""

    __slots__ = ("_cipher", "_secret", "id")

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes, not {len(secret)}")
        self._secret = secret
        self._cipher = AESGCM(secret)
        self.id = sha256(b"meshnode key id\n" + secret).removeprefix("sha256:")[:KEY_ID_DIGITS]

    @classmethod
    def generate(cls) -> KeyEncryptionKey:
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> KeyEncryptionKey | None:
        """The key in the file, None when there is none. Raises PrivateFileError."""
        data = read_private(path)
        return None if data is None else cls.parse(path, data)

    @classmethod
    def parse(cls, path: Path, data: bytes) -> KeyEncryptionKey:
        """The key in such a file's content; `path` is where it came from. Raises PrivateFileError."""
        try:
            fields = Fields(checked_body(path, data))
            fields.schema(SCHEMA)
            return cls(decode_base64(fields.text("secret")))
        except (DocumentError, ValueError) as error:
            raise PrivateFileError(path, f"is no key-encryption key: {error}") from error

    def create(self, path: Path) -> bool:
        """Writes the file, mode 0600; False when there is one already. Raises PrivateFileError."""
        body = {"schema": SCHEMA, "key_id": self.id, "secret": encode_base64(self._secret)}
        return create_private(path, with_checksum(body))

    def derived(self, context: bytes) -> bytes:
        """Another key of 32 bytes, for one use alone (HKDF, RFC 5869)."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=context).derive(self._secret)

    def seal(self, plaintext: bytes, context: bytes) -> Sealed:
        """`context` is not in the result, but only with the same one does it open."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(self.id, nonce, self._cipher.encrypt(nonce, plaintext, context))

    def open(self, sealed: Sealed, context: bytes) -> bytes:
        """Raises SealError: another key, another context, or altered."""
        if sealed.key_id != self.id:
            raise SealError(f"it is sealed with key {sealed.key_id}, and this one is {self.id}")
        try:
            return self._cipher.decrypt(sealed.nonce, sealed.ciphertext, context)
        except (InvalidTag, ValueError) as error:
            raise SealError("it was altered after it was sealed") from error

    def __repr__(self) -> str:
        return f"KeyEncryptionKey({self.id})"
