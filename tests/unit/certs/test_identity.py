"""What a node takes for its identity, and when it renews it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certs import NodeKey, renew_at
from certs.authority import create_authority, to_pem
from certs.errors import AnswerError, DocumentError
from certs.identity import Identity, accept, from_json
from certs.request import Answer, Asked, ask
from certs.trust import Trust
from tests.unit.certs import forge
from tests.unit.certs.mesh import NOW

TD = "mesh.test"
WEB = f"spiffe://{TD}/ns/default/dc/dc1/svc/web"
CA = create_authority(TD, now=NOW, ttl_s=864_000)
FOREIGN = create_authority(TD, now=NOW, ttl_s=864_000)
TRUST = Trust(TD, (CA.root,))
NODE_KEY = NodeKey(ec.generate_private_key(ec.SECP256R1()))
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
NAMED = x509.SubjectAlternativeName([forge.uri(WEB)])


def asked() -> Asked:
    return ask("node-1", "web", spiffe_id=WEB, session="s", node_key=NODE_KEY, now=NOW)


ASKED = asked()
KEY = ASKED.key.public_key()


def answer(**changes: Any) -> Answer:
    chain = CA.issue(KEY, WEB, now=NOW, ttl_s=3600)
    made = Answer(ASKED.request.nonce, ASKED.request.csr_sha256, chain, signer="node-1")
    return dataclasses.replace(made, **changes)


def take(made: Answer, now: datetime = NOW) -> Identity:
    return accept(made, ASKED, TRUST, now=now)


def forged(*extensions: x509.ExtensionType, by: Any = CA, key: Any = KEY) -> str:
    return to_pem(forge.certificate(by, key, extensions=extensions))


def test_a_right_answer_becomes_an_identity() -> None:
    identity = take(answer())
    assert (identity.name, identity.spiffe_id) == ("web", WEB)
    assert identity.not_after == NOW + timedelta(hours=1)
    assert identity.is_valid_at(NOW)
    assert not identity.is_valid_at(identity.not_after)
    assert identity.roots_pem == to_pem(CA.root)


def test_the_boundary_gets_what_it_asks_for() -> None:
    body = take(answer()).to_boundary()
    assert sorted(body) == [
        "certificate_chain_pem",
        "name",
        "not_after_unix_s",
        "private_key_pem",
        "roots_pem",
        "spiffe_id",
    ]
    assert body["not_after_unix_s"] == int((NOW + timedelta(hours=1)).timestamp())


def test_the_private_key_is_in_no_repr() -> None:
    identity = take(answer())
    assert "PRIVATE" in identity.private_key_pem
    assert "PRIVATE" not in repr(identity)
    assert "ECPrivateKey" not in repr(ASKED)


def test_text_around_a_chain_does_not_reach_the_proxy() -> None:
    identity = take(answer(chain_pem="# hello\n" + answer().chain_pem + "bye"))
    assert identity.certificate_chain_pem == identity.certificate_chain_pem.strip() + "\n"
    assert "hello" not in identity.certificate_chain_pem


FORGERIES: dict[str, tuple[Answer, str]] = {
    "replayed": (answer(nonce=asked().request.nonce), "another request"),
    "for another CSR": (answer(csr_sha256=asked().request.csr_sha256), "another CSR"),
    "refused": (answer(refused="because"), "because"),
    "of a foreign CA": (
        answer(chain_pem=FOREIGN.issue(KEY, WEB, now=NOW, ttl_s=60)),
        "not come from a root this node has pinned",
    ),
    "for another key": (
        answer(chain_pem=CA.issue(NODE_KEY._private.public_key(), WEB, now=NOW, ttl_s=60)),
        "another key",
    ),
    "for another name": (
        answer(chain_pem=CA.issue(KEY, WEB + "x", now=NOW, ttl_s=60)),
        "alone",
    ),
    "with a NUL in its name": (
        answer(chain_pem=CA.issue(KEY, WEB + "\0", now=NOW, ttl_s=60)),
        "alone",
    ),
    "with two names": (
        answer(
            chain_pem=forged(
                x509.SubjectAlternativeName([forge.uri(WEB), forge.uri(WEB + "x")]), BOTH
            )
        ),
        "alone",
    ),
    "with a DNS name beside": (
        answer(
            chain_pem=forged(
                x509.SubjectAlternativeName([forge.uri(WEB), x509.DNSName("web")]), BOTH
            )
        ),
        "alone",
    ),
    "without a name": (answer(chain_pem=forged(BOTH)), "has no name"),
    "of a CA": (
        answer(chain_pem=forged(NAMED, BOTH, x509.BasicConstraints(ca=True, path_length=None))),
        "is a CA's",
    ),
    "for servers only": (
        answer(chain_pem=forged(NAMED, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))),
        "both sides",
    ),
    "without a use": (answer(chain_pem=forged(NAMED)), "both sides"),
    "no chain": (answer(chain_pem=""), "cannot be read"),
    "five certificates": (answer(chain_pem=answer().chain_pem * 5), "more than 4"),
    "the root for a leaf": (answer(chain_pem=to_pem(CA.root)), "another key"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_answer_is_not_taken(name: str) -> None:
    made, sentence = FORGERIES[name]
    with pytest.raises(AnswerError, match=sentence):
        take(made)


def test_an_intermediate_leads_to_the_root_only_if_it_may_sign() -> None:
    middle = create_authority(TD, now=NOW, ttl_s=86_400)
    leaf = middle.issue(KEY, WEB, now=NOW, ttl_s=60)
    crossed = to_pem(forge.cross_signed(middle, CA))
    assert take(answer(chain_pem=leaf + crossed)).certificate_chain_pem == leaf + crossed
    no_ca = forge.certificate(CA, middle.key.public_key(), subject=middle.root.subject)
    with pytest.raises(AnswerError, match="did not make one another"):
        take(answer(chain_pem=leaf + to_pem(no_ca)))
    with pytest.raises(AnswerError):
        take(answer(chain_pem=leaf + to_pem(CA.root)))


@pytest.mark.parametrize(
    ("hours", "sentence"), [(-1, "future of this machine's clock"), (2, "ended at")]
)
def test_a_leaf_that_is_not_valid_now_is_not_taken(hours: int, sentence: str) -> None:
    with pytest.raises(AnswerError, match=sentence):
        take(answer(), NOW + timedelta(hours=hours))


def test_an_answer_comes_whole_out_of_its_bytes() -> None:
    made = answer()
    assert Answer.from_bytes(made.to_bytes()) == made
    refused = Answer(ASKED.request.nonce, refused="no", signer="node-1")
    assert Answer.from_bytes(refused.to_bytes()) == refused


def test_a_refusal_is_cut_and_never_empty() -> None:
    long = Answer("n" * 32, refused="x" * 10_000)
    assert len(Answer.from_bytes(long.to_bytes()).refused) == 500
    empty = b'{"schema":1,"nonce":"n","signer":"","refused":""}'
    assert Answer.from_bytes(empty).refused


@given(st.binary(max_size=200))
def test_garbage_is_no_answer(value: bytes) -> None:
    with pytest.raises(DocumentError):
        Answer.from_bytes(value)


def test_an_identity_comes_back_as_it_was_kept() -> None:
    identity = take(answer())
    assert from_json(identity.to_json(), TRUST, spiffe_id=WEB) == identity


@pytest.mark.parametrize(
    "changes",
    [
        {"private_key_pem": "x"},
        {"private_key_pem": take(answer()).certificate_chain_pem},
        {"certificate_chain_pem": FOREIGN.issue(KEY, WEB, now=NOW, ttl_s=60)},
        {"schema": 2},
        {"name": 1},
    ],
)
def test_a_kept_identity_with_faults_is_not_taken(changes: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        from_json({**take(answer()).to_json(), **changes}, TRUST, spiffe_id=WEB)


HOUR = timedelta(hours=1)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(made_at=INSTANTS, hours=st.integers(1, 1000), jitter=st.floats(0, 1))
def test_renewal_lies_between_six_tenths_and_two_thirds_of_life(
    made_at: datetime, hours: int, jitter: float
) -> None:
    life = hours * HOUR
    due = renew_at(made_at - timedelta(minutes=5), made_at + life, jitter)
    assert made_at + life * 0.6 - timedelta(seconds=1) <= due
    assert due <= made_at + life * 2 / 3 + timedelta(seconds=1)


def test_jitter_spreads_renewals() -> None:
    dues = {renew_at(NOW, NOW + 24 * HOUR, jitter / 10) for jitter in range(11)}
    assert len(dues) == 11
    assert max(dues) - min(dues) > HOUR


@given(begin=INSTANTS, seconds=st.integers(0, 600), jitter=st.floats(0, 1))
def test_renewal_of_the_shortest_leaf_is_within_its_life(
    begin: datetime, seconds: int, jitter: float
) -> None:
    end = begin + timedelta(seconds=seconds)
    assert begin <= renew_at(begin, end, jitter) <= end
