"""Pinning: first contact, settings, cross-signed roots; and what is never taken."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import CertificateSettings, PrivateFileError
from certs.authority import Authority, create_authority, to_pem
from certs.documents import RootsDocument
from certs.errors import DocumentError, RootsError
from certs.trust import Trust, decide
from tests.unit.certs import forge
from tests.unit.certs.mesh import NOW

TD = "mesh.test"
OLD, NEW, NEWER, FOREIGN = (create_authority(TD, now=NOW, ttl_s=864_000) for _ in range(4))
SETTINGS = CertificateSettings()
PINNED = Trust(TD, (OLD.root,))


def document(*authorities: Authority, **changes: Any) -> RootsDocument:
    roots = tuple(authority.root for authority in authorities)
    made = RootsDocument(TD, roots, int(NOW.timestamp()))
    return dataclasses.replace(made, **changes)


def test_the_first_root_seen_is_pinned() -> None:
    decision = decide(document(OLD), None, SETTINGS, now=NOW)
    assert decision.trust == PINNED
    assert decision.rejected == ()


def test_another_root_is_not_taken_and_the_sentence_says_what_to_do() -> None:
    with pytest.raises(
        RootsError, match=r"neither pinned.*pin\.json.*who writes to meshnode/ca/roots"
    ):
        decide(document(FOREIGN), PINNED, SETTINGS, now=NOW)


def test_a_foreign_root_beside_the_pinned_one_is_left_out() -> None:
    decision = decide(document(OLD, FOREIGN), PINNED, SETTINGS, now=NOW)
    assert decision.trust == PINNED
    assert decision.rejected == (FOREIGN.root_fingerprint,)


def test_a_root_cross_signed_by_the_pinned_one_is_followed() -> None:
    both = document(OLD, NEW, cross_signed=(forge.cross_signed(NEW, OLD),))
    assert decide(both, PINNED, SETTINGS, now=NOW).trust.roots == (OLD.root, NEW.root)
    alone = dataclasses.replace(both, roots=(NEW.root,))
    assert decide(alone, PINNED, SETTINGS, now=NOW).trust.roots == (NEW.root,)


def test_cross_signatures_are_followed_over_several_roots_in_any_order() -> None:
    crossed = (forge.cross_signed(NEWER, NEW), forge.cross_signed(NEW, OLD))
    for signatures in (crossed, crossed[::-1]):
        offered = document(NEWER, NEW, cross_signed=signatures)
        assert decide(offered, PINNED, SETTINGS, now=NOW).trust.roots == (NEWER.root, NEW.root)


@pytest.mark.parametrize(
    "crossed",
    [
        forge.cross_signed(NEW, FOREIGN),
        forge.cross_signed(FOREIGN, OLD),
        forge.certificate(OLD, NEW.key.public_key(), subject=NEW.root.subject),
        forge.certificate(
            dataclasses.replace(FOREIGN, root=OLD.root, key=OLD.key),
            ec.generate_private_key(ec.SECP256R1()).public_key(),
            subject=NEW.root.subject,
        ),
        OLD.root,
        NEW.root,
    ],
    ids=["by a foreign CA", "of another root", "no CA", "of another key", "the old", "itself"],
)
def test_nothing_else_is_a_cross_signature(crossed: object) -> None:
    with pytest.raises(RootsError, match="nor cross-signed"):
        decide(document(NEW, cross_signed=(crossed,)), PINNED, SETTINGS, now=NOW)


def test_an_expired_cross_signature_is_none() -> None:
    offered = document(NEW, cross_signed=(forge.cross_signed(NEW, OLD),))
    with pytest.raises(RootsError):
        decide(offered, PINNED, SETTINGS, now=NOW + timedelta(days=2))


def test_a_root_by_setting_is_pinned_before_the_first_contact() -> None:
    settings = CertificateSettings(root_pins=(OLD.root_fingerprint,))
    assert decide(document(OLD, FOREIGN), None, settings, now=NOW).trust == PINNED
    with pytest.raises(RootsError):
        decide(document(FOREIGN), None, settings, now=NOW)


def test_another_trust_domain_is_not_taken() -> None:
    other = document(OLD, trust_domain="other.test")
    for pinned, settings in ((PINNED, SETTINGS), (None, CertificateSettings(trust_domain=TD))):
        with pytest.raises(RootsError, match=r"of trust domain other\.test.*belongs to mesh\.test"):
            decide(other, pinned, settings, now=NOW)


def test_a_leaf_is_no_root() -> None:
    leaf = forge.certificate(OLD, OLD.key.public_key())
    for roots in ((), (leaf,), (OLD.root, leaf)):
        with pytest.raises(RootsError, match="no CA's"):
            decide(document(roots=roots), None, SETTINGS, now=NOW)


def test_the_document_comes_whole_out_of_its_bytes() -> None:
    made = document(OLD, NEW, cross_signed=(forge.cross_signed(NEW, OLD),))
    assert RootsDocument.from_bytes(made.to_bytes()) == made


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"{}",
        b'{"schema":2}',
        b'{"schema":1,"trust_domain":"A B","roots":[],"cross_signed":[],"created_unix_s":1}',
        b'{"schema":1,"trust_domain":"a","roots":["x"],"cross_signed":[],"created_unix_s":1}',
        b'{"schema":1,"trust_domain":"a","roots":"x","cross_signed":[],"created_unix_s":1}',
        b'{"schema":1,"trust_domain":"a","roots":[],"cross_signed":[],"created_unix_s":true}',
    ],
)
def test_garbage_is_no_roots_document(value: bytes) -> None:
    with pytest.raises(DocumentError):
        RootsDocument.from_bytes(value)


UNREADABLE = forge.unreadable_certificates(to_pem(OLD.root))


@pytest.mark.parametrize("part", UNREADABLE)
@pytest.mark.parametrize("field", ["roots", "cross_signed"])
def test_a_certificate_that_cannot_be_read_is_no_root(part: str, field: str) -> None:
    """The library would raise only when somebody looks at the part, in the middle of following roots."""
    value = json.loads(document(OLD).to_bytes())
    value[field] = [UNREADABLE[part]]
    with pytest.raises(DocumentError):
        RootsDocument.from_bytes(json.dumps(value).encode())


def test_too_many_roots_are_refused() -> None:
    with pytest.raises(DocumentError, match="more than 8"):
        RootsDocument.from_bytes(document(*[OLD] * 9).to_bytes())


def test_the_pin_comes_back_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "pin.json"
    assert Trust.load(path) is None
    trust = Trust(TD, (OLD.root, NEW.root))
    trust.save(path)
    assert Trust.load(path) == trust
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_damaged_pin_is_not_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "pin.json"
    PINNED.save(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(PrivateFileError, match="damaged"):
        Trust.load(path)
