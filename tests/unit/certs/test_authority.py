"""Leaves: what is in them, and that they never outlive their CA or begin before it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import Authority, create_authority
from certs.documents import load_certificates
from certs.errors import AuthorityError
from tests.unit.certs.mesh import NOW

NAME = "spiffe://mesh.test/ns/default/dc/dc1/svc/web"
KEY = ec.generate_private_key(ec.SECP256R1())
ROOT_TTL_S = 30 * 86_400
AUTHORITY = create_authority("mesh.test", now=NOW, ttl_s=ROOT_TTL_S)


def leaf(
    authority: Authority = AUTHORITY, *, ttl_s: int = 86_400, after_s: float = 0
) -> x509.Certificate:
    now = NOW + timedelta(seconds=after_s)
    (made,) = load_certificates(
        authority.issue(KEY.public_key(), NAME, now=now, ttl_s=ttl_s), at_most=1
    )
    return made


def test_a_leaf_has_one_name_and_serves_both_sides() -> None:
    made = leaf()
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(names.value) == [x509.UniformResourceIdentifier(NAME)]
    assert names.critical, "the subject is empty"
    assert len(made.subject) == 0
    usages = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert made.public_key() == KEY.public_key()
    made.verify_directly_issued_by(AUTHORITY.root)


def test_a_leaf_begins_five_minutes_back_and_lives_its_hours() -> None:
    made = leaf(ttl_s=3600)
    assert made.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert made.not_valid_after_utc == NOW + timedelta(hours=1)


def test_serial_numbers_differ() -> None:
    assert len({leaf().serial_number for _ in range(50)}) == 50


@given(after_s=st.integers(0, ROOT_TTL_S + 86_400), ttl_s=st.integers(5, 2 * ROOT_TTL_S))
def test_no_leaf_outlives_its_ca(after_s: int, ttl_s: int) -> None:
    try:
        made = leaf(ttl_s=ttl_s, after_s=after_s)
    except AuthorityError:
        assert after_s > ROOT_TTL_S - 5
        return
    assert made.not_valid_after_utc <= AUTHORITY.root.not_valid_after_utc
    assert made.not_valid_before_utc >= AUTHORITY.root.not_valid_before_utc


def test_a_root_that_has_ended_signs_nothing_and_says_so() -> None:
    with pytest.raises(AuthorityError, match="root ends on 2026-12-23 12:00 UTC"):
        leaf(after_s=ROOT_TTL_S)


def test_a_clock_a_day_back_at_boot_signs_nothing_and_says_so() -> None:
    with pytest.raises(AuthorityError, match="later than this machine's clock says"):
        leaf(after_s=-86_400)


def test_a_root_is_a_ca_of_its_trust_domain() -> None:
    root = AUTHORITY.root
    names = root.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://mesh.test")]
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert root.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    root.verify_directly_issued_by(root)


def test_two_roots_of_one_trust_domain_have_two_subjects() -> None:
    other = create_authority("mesh.test", now=NOW, ttl_s=ROOT_TTL_S)
    assert other.root.subject != AUTHORITY.root.subject


def test_a_key_and_another_root_are_no_authority() -> None:
    other = create_authority("mesh.test", now=NOW, ttl_s=ROOT_TTL_S)
    with pytest.raises(ValueError, match="does not belong"):
        Authority("mesh.test", other.root, AUTHORITY.key)
