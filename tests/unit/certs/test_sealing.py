"""The sealed CA key: opens with its key, for its root, unaltered, and not otherwise."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import create_authority
from certs.canonical import canonical, parse_object
from certs.documents import AuthorityDocument
from certs.errors import DocumentError, PrivateFileError, SealError
from certs.keyfile import KeyFile
from certs.sealing import KEY_BYTES, KeyEncryptionKey, Sealed
from tests.unit.certs.mesh import NOW

KEY = KeyEncryptionKey.generate()
AUTHORITY = create_authority("mesh.test", now=NOW, ttl_s=86_400)
DOCUMENT = AuthorityDocument.seal(AUTHORITY, KEY, node="node-1", now=NOW)


def test_what_is_sealed_opens_and_is_not_to_be_read() -> None:
    sealed = KEY.seal(b"the secret", b"context")
    assert KEY.open(sealed, b"context") == b"the secret"
    assert b"the secret" not in canonical(sealed.to_json())
    assert Sealed.from_json(parse_object(canonical(sealed.to_json()))) == sealed


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert KEY.seal(b"x", b"").ciphertext != KEY.seal(b"x", b"").ciphertext


def test_another_key_or_context_opens_nothing() -> None:
    sealed = KEY.seal(b"secret", b"context")
    other = KeyEncryptionKey.generate()
    with pytest.raises(SealError, match=f"sealed with key {KEY.id}, and this one is {other.id}"):
        other.open(sealed, b"context")
    with pytest.raises(SealError, match="altered"):
        KEY.open(sealed, b"another")
    with pytest.raises(SealError, match="altered"):
        other.open(dataclasses.replace(sealed, key_id=other.id), b"context")


@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_altered_bit_opens(at: int, bit: int) -> None:
    sealed = KEY.seal(b"the secret", b"context")
    altered = bytearray(sealed.ciphertext)
    altered[at % len(altered)] ^= 1 << bit
    with pytest.raises(SealError):
        KEY.open(dataclasses.replace(sealed, ciphertext=bytes(altered)), b"context")


@pytest.mark.parametrize("nonce", [b"", b"short", b"x" * 200])
def test_a_nonce_of_another_length_opens_nothing(nonce: bytes) -> None:
    with pytest.raises(SealError):
        KEY.open(dataclasses.replace(KEY.seal(b"secret", b""), nonce=nonce), b"")


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"schema": 2},
        {"schema": 1, "algorithm": "ROT13", "key_id": "", "nonce": "", "ciphertext": ""},
        {"schema": 1, "algorithm": "AES-256-GCM", "key_id": "", "nonce": "é", "ciphertext": ""},
    ],
)
def test_a_header_that_is_not_understood_is_refused(document: object) -> None:
    with pytest.raises(DocumentError):
        Sealed.from_json(document)


def test_the_ca_comes_whole_out_of_its_document() -> None:
    opened = AuthorityDocument.from_bytes(DOCUMENT.to_bytes()).open(KEY)
    assert (opened.trust_domain, opened.root) == (AUTHORITY.trust_domain, AUTHORITY.root)
    assert opened.key.private_numbers() == AUTHORITY.key.private_numbers()


def test_the_sealed_key_is_bound_to_its_root_and_trust_domain() -> None:
    other = create_authority("mesh.test", now=NOW, ttl_s=86_400)
    for swapped in (
        dataclasses.replace(DOCUMENT, root=other.root),
        dataclasses.replace(DOCUMENT, trust_domain="other.test"),
    ):
        with pytest.raises(SealError, match="altered"):
            swapped.open(KEY)


def test_no_secret_is_in_a_repr() -> None:
    secret = KEY._secret.hex()
    for shown in (repr(KEY), repr(AUTHORITY), repr(DOCUMENT)):
        assert secret not in shown
        assert "PrivateKey" not in shown


@pytest.mark.parametrize(
    "value", [b"", b"{", b"[]", b"{}", b"\xff", b"x" * 100_000, b'{"schema":2}']
)
def test_garbage_is_no_authority_document(value: bytes) -> None:
    with pytest.raises(DocumentError):
        AuthorityDocument.from_bytes(value)


def test_the_key_file_is_private_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    assert KEY.create(path)
    assert not KeyEncryptionKey.generate().create(path)
    loaded = KeyEncryptionKey.load(path)
    assert loaded is not None
    assert loaded.id == KEY.id
    assert loaded.open(KEY.seal(b"x", b""), b"") == b"x"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_with_faults_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "kek.json"
    assert KeyEncryptionKey.load(path) is None
    KEY.create(path)
    path.chmod(0o644)
    with pytest.raises(PrivateFileError, match="chmod 600"):
        KeyEncryptionKey.load(path)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(PrivateFileError, match="damaged"):
        KeyEncryptionKey.load(path)


def test_a_key_has_its_length() -> None:
    for length in (0, KEY_BYTES - 1, KEY_BYTES + 1):
        with pytest.raises(ValueError, match="32 bytes"):
            KeyEncryptionKey(b"x" * length)


def test_a_new_key_gets_its_name_only_when_it_opens_the_mesh_s_ca(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "kek.json")
    made = file.load_or_make()
    assert [one.name for one in tmp_path.iterdir()] == ["kek.json.new"]
    assert [key.id for key in file.load()] == [made.id]
    assert file.load_or_make().id == made.id, "a second try goes on with the same key"
    assert file.settle(made)
    assert [one.name for one in tmp_path.iterdir()] == ["kek.json"]
    assert not file.settle(made)


def test_a_new_key_for_nothing_is_discarded(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "kek.json")
    file.load_or_make()
    file.discard_new()
    assert list(tmp_path.iterdir()) == []
