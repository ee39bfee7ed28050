"""Certificates of the edge: what fits together, what is sealed for whom, and the default one."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import (
    DEFAULT_HOST,
    EdgeCertificateError,
    KeyEncryptionKey,
    SealError,
    check_host,
    date_sentence,
    load_or_make,
    open_key,
    paired,
    read_authorities,
    read_chain,
    seal_key,
    ticket_keys,
)
from tests.support.edge_certificates import made, weak_key


@pytest.mark.parametrize(
    ("names", "host", "is_covered"),
    [
        (("shop.example",), "shop.example", True),
        (("SHOP.example",), "shop.example", True),
        (("*.example",), "shop.example", True),
        (("*.example",), "*.example", True),
        (("*.example",), "a.shop.example", False),
        (("shop.example",), "*.example", False),
        (("other.example",), "shop.example", False),
        ((), "shop.example", False),
    ],
)
def test_a_certificate_covers_the_hosts_it_names(
    names: tuple[str, ...], host: str, *, is_covered: bool
) -> None:
    chain = read_chain(made(*names).certificate)
    if is_covered:
        check_host(chain, host)
        return
    with pytest.raises(EdgeCertificateError, match=r"not for "):
        check_host(chain, host)


def test_a_chain_is_in_order_and_of_keys_that_are_spoken() -> None:
    root = made(is_authority=True, name="root")
    leaf = made("shop.example", issuer=root)
    assert len(read_chain(leaf.certificate + root.certificate)) == 2
    for pem, sentence in [
        (root.certificate + leaf.certificate, "certificate 2 of the chain did not sign"),
        ("", "no certificate in PEM"),
        (leaf.certificate[:200], "no certificate in PEM"),
        (leaf.certificate * 9, "at most 8 do"),
        (made("a.example", key=weak_key()).certificate, "1024 bits, which is weak"),
        (
            made("a.example", key=ec.generate_private_key(ec.SECP256K1())).certificate,
            "secp256k1, which is not spoken",
        ),
    ]:
        with pytest.raises(EdgeCertificateError, match=sentence) as raised:
            read_chain(pem)
        assert raised.value.part == "certificate"


def test_a_key_that_is_another_ones_or_none_is_refused_without_a_quote() -> None:
    one, other = made("shop.example"), made("shop.example")
    assert paired("shop.example", one.certificate, one.key.encode()).fingerprint
    for key, sentence in [
        (other.key, "not that of the certificate"),
        ("secret words", "can't be read"),
        (one.certificate, "can't be read"),
    ]:
        with pytest.raises(EdgeCertificateError, match=sentence) as raised:
            paired("shop.example", one.certificate, key.encode())
        assert raised.value.part == "key"
        assert "secret words" not in str(raised.value)
    assert "PRIVATE" not in repr(paired("shop.example", one.certificate, one.key.encode()))


def test_dates_are_told() -> None:
    now = datetime.now(UTC)
    day = timedelta(days=1)
    for begin, end, sentence, is_error in [
        (now - 9 * day, now - day, "ended at", True),
        (now + day, now + 9 * day, "still to come", True),
        (now - day, now + 9 * day, "put a new one", False),
    ]:
        chain = read_chain(made("shop.example", begin=begin, end=end).certificate)
        found = date_sentence(chain, now)
        assert found is not None
        assert sentence in found[0]
        assert found[1] is is_error
    assert date_sentence(read_chain(made("shop.example").certificate), now) is None


def test_authorities_are_authorities() -> None:
    root = made(is_authority=True, name="clients")
    assert len(read_authorities(root.certificate * 2)) == 2
    with pytest.raises(EdgeCertificateError, match="no authority's certificate"):
        read_authorities(made("shop.example").certificate)


def test_a_sealed_key_opens_for_its_host_and_by_its_key_alone() -> None:
    key, other = KeyEncryptionKey.generate(), KeyEncryptionKey.generate()
    sealed = seal_key(key, "shop.example", b"the key")
    assert "the key" not in sealed
    assert open_key(key, "shop.example", sealed + "\n") == b"the key"
    assert seal_key(key, "shop.example", b"the key") != sealed
    for opener, host, text, sentence in [
        (key, "other.example", sealed, "for another host than other.example, or altered"),
        (other, "shop.example", sealed, f"and this node's is {other.id}"),
        (key, "shop.example", sealed[:-8] + "AAAAAAA=", "or altered"),
        (key, "shop.example", sealed[:-1] + "!", "or altered"),
        (key, "shop.example", sealed.replace("v1", "v2"), "a form this version does not know"),
        (key, "shop.example", "sealed-v1", "sealed with the key-encryption key"),
    ]:
        with pytest.raises(SealError, match=sentence):
            open_key(opener, host, text)


def test_all_nodes_have_the_same_ticket_keys_of_an_hour() -> None:
    key = KeyEncryptionKey.generate()
    at = 1_000_000 * 3600 + 10
    first, second = ticket_keys(key, at)["keys"], ticket_keys(key, at + 3000)["keys"]
    assert first == second
    later = ticket_keys(key, at + 3600)["keys"]
    # The next hour's key is known before it begins, and the last one's is still taken.
    assert later[0] == first[1]
    assert later[2] == first[0]
    assert len({one["secret"] for one in (*first, *later)}) == 4
    assert ticket_keys(KeyEncryptionKey.generate(), at)["keys"] != first
    assert first[0]["makes_until_unix_s"] == 1_000_001 * 3600
    assert first[0]["takes_until_unix_s"] == 1_000_002 * 3600


def test_the_default_certificate_is_kept_and_made_anew_in_time(tmp_path: Path) -> None:
    path, now = tmp_path / "edge.json", datetime.now(UTC)
    first = load_or_make(path, "node-1", now)
    assert first.host == DEFAULT_HOST
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make(path, "node-1", now + timedelta(days=59)) == first
    later = load_or_make(path, "node-1", now + timedelta(days=61))
    assert later != first
    path.write_bytes(b"{")
    assert load_or_make(path, "node-1", now) not in (first, later)
