"""The node key: one file, private, whole; what it signs is checked against it alone."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from certs import NodeKey, PrivateFileError, fingerprint_of, verify_signature


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "node.key"
    made = NodeKey.load_or_create(path)
    assert NodeKey.load_or_create(path).public_key == made.public_key
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["node.key"]


def test_the_session_name_is_the_hash_of_the_key(tmp_path: Path) -> None:
    key = NodeKey.load_or_create(tmp_path / "node.key")
    assert key.fingerprint == fingerprint_of(key.public_key)
    assert key.session_name == f"meshnode {key.fingerprint}"
    assert len(key.session_name.encode()) < 400  # what Consul takes as a Name


def test_the_private_half_is_in_no_repr(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    key = NodeKey.load_or_create(path)
    secret = "".join(path.read_text().splitlines()[1:-1])
    assert secret[:20] not in repr(key)
    assert key.fingerprint in repr(key)


def test_a_signature_holds_for_its_message_and_key_only(tmp_path: Path) -> None:
    key, other = (NodeKey.load_or_create(tmp_path / name) for name in ("a", "b"))
    signature = key.sign(b"message")
    assert verify_signature(key.public_key, b"message", signature)
    assert not verify_signature(key.public_key, b"another", signature)
    assert not verify_signature(other.public_key, b"message", signature)


@pytest.mark.parametrize("signature", ["", "?", "AAAA", "é", "A" * 10_000])
def test_garbage_is_no_signature(tmp_path: Path, signature: str) -> None:
    key = NodeKey.load_or_create(tmp_path / "node.key")
    assert not verify_signature(key.public_key, b"message", signature)


def spki(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


@pytest.mark.parametrize(
    "public_key",
    [
        "",
        "not base64",
        "AAAA",
        spki(ec.generate_private_key(ec.SECP384R1()).public_key()),
        spki(ed25519.Ed25519PrivateKey.generate().public_key()),
    ],
)
def test_only_p256_keys_verify(tmp_path: Path, public_key: str) -> None:
    signature = NodeKey.load_or_create(tmp_path / "node.key").sign(b"message")
    assert not verify_signature(public_key, b"message", signature)


def test_a_second_encoding_of_a_key_is_not_the_key(tmp_path: Path) -> None:
    """A compressed point is the same key with another hash: it must not get a second fingerprint."""
    path = tmp_path / "node.key"
    key = NodeKey.load_or_create(path)
    private = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    point = private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    compressed = base64.b64encode(prefix + point).decode()
    assert not verify_signature(compressed, b"message", key.sign(b"message"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_key_that_others_may_touch_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "node.key"
    NodeKey.load_or_create(path)
    path.chmod(mode)
    with pytest.raises(PrivateFileError, match=f"chmod 600 {path}"):
        NodeKey.load_or_create(path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_half_written_key_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "node.key"
    NodeKey.load_or_create(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PrivateFileError, match="half written"):
        NodeKey.load_or_create(path)
    assert len(path.read_bytes()) == int(len(data) * share), "it is not replaced in silence"


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    path.touch(mode=0o600)
    path.write_bytes(
        ec.generate_private_key(ec.SECP384R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(PrivateFileError, match="P-256"):
        NodeKey.load_or_create(path)


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "folder", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe, 0o600)
    for path in (folder, pipe):
        with pytest.raises(PrivateFileError, match="is not a file"):
            NodeKey.load_or_create(path)


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    NodeKey.load_or_create(path)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
    else:
        path = Path("/etc/passwd")
    with pytest.raises(PrivateFileError, match=r"belongs to user id \d+, not to us: run chown"):
        NodeKey.load_or_create(path)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PrivateFileError, match=r"cannot be (read|written)"):
        NodeKey.load_or_create(tmp_path / "file" / "node.key")
