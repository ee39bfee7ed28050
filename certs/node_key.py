"""The node's own key: made once, never leaving its file; proves requests and status. Certifies nothing by itself."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .canonical import decode_base64, encode_base64, sha256
from .errors import PrivateFileError
from .files import create_private, read_private

# Consul sessions can't be renamed, so this name binds a session to the key for its whole life.
SESSION_NAME_PREFIX = "meshnode "


class NodeKey:
    """A P-256 key; its private half is in no repr, and leaves only into its file."""

    __slots__ = ("_private", "public_key")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public_key = encode_public_key(private.public_key())
        """The public half: DER SubjectPublicKeyInfo in base64."""

    @classmethod
    def load_or_create(cls, path: Path) -> NodeKey:
        """The key in the file, made there (mode 0600) when there is none.

        Raises PrivateFileError: others may read it, half-written, another kind of key, or not writable. Two
        processes that start at once get the same key.
        """
        data = read_private(path)
        if data is None:
            made = ec.generate_private_key(ec.SECP256R1())
            if create_private(path, _to_pem(made)):
                return cls(made)
            data = read_private(path)
        if data is None:
            raise PrivateFileError(path, "comes and goes: something removes it")
        return cls(_from_pem(path, data))

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the hash of the public key's DER in hex."""
        return fingerprint_of(self.public_key)

    @property
    def session_name(self) -> str:
        """The Name a session must have to speak for this key."""
        return session_name_of(self.public_key)

    def sign(self, message: bytes) -> str:
        """ECDSA over SHA-256, DER in base64."""
        return encode_base64(self._private.sign(message, ec.ECDSA(hashes.SHA256())))

    def __repr__(self) -> str:
        return f"NodeKey({self.fingerprint})"


def verify_signature(public_key: str, message: bytes, signature: str) -> bool:
    """Whether `signature` is the key's over the message; False for a key that is no P-256 key, and for garbage."""
    try:
        key = decode_public_key(public_key)
        key.verify(decode_base64(signature), message, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True


def fingerprint_of(public_key: str) -> str:
    """`sha256:` and the hash of the key's DER in hex. Raises ValueError when `public_key` is not base64."""
    return sha256(decode_base64(public_key))


def session_name_of(public_key: str) -> str:
    """The session Name that speaks for this key. Raises ValueError when `public_key` is not base64."""
    return SESSION_NAME_PREFIX + fingerprint_of(public_key)


def encode_public_key(key: ec.EllipticCurvePublicKey) -> str:
    return encode_base64(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def decode_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The P-256 key in `text`. Raises ValueError for any other key, for another encoding of it, and for garbage."""
    try:
        key = serialization.load_der_public_key(decode_base64(text))
    except UnsupportedAlgorithm as error:
        raise ValueError("it is a key of an unknown kind") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("it is no P-256 key")  # noqa: TRY004  (the key's kind, not Python's)
    if encode_public_key(key) != text:
        # One key has one fingerprint: a second encoding would give it another.
        raise ValueError("it is not in its usual encoding")
    return key


def _to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _from_pem(path: Path, data: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError) as error:
        raise PrivateFileError(
            path,
            "holds no whole key: it was only half written, or altered; "
            "restore it, or remove it and the node makes a new one",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PrivateFileError(path, "holds a key of another kind; a node key is a P-256 key")
    return key
