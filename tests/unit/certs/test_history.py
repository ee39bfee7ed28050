"""What the elected writer signs counts; what anybody else signs, with whatever certificate, does not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certs import HistoryJudge, HistoryKey, NodeKey
from certs.authority import Authority, create_authority
from certs.chain import check_chain
from certs.documents import RootsDocument, load_certificates
from certs.errors import AnswerError
from certs.spiffe import history_id, history_node, service_id
from certs.trust import Trust
from tests.support import wait_until
from tests.unit.certs.mesh import NOW, Mesh

DAY_S = 86_400
MESSAGE = b'{"revision":"1"}'


@pytest.fixture(scope="module")
def authority() -> Authority:
    return create_authority("mesh.test", now=NOW, ttl_s=100 * DAY_S)


@pytest.fixture
def key(authority: Authority) -> HistoryKey:
    return HistoryKey.make(authority, "node-1", now=NOW, ttl_s=DAY_S)


def judge_of(authority: Authority) -> HistoryJudge:
    return HistoryJudge(Trust(authority.trust_domain, (authority.root,)))


def test_what_the_writer_signed_counts(authority: Authority, key: HistoryKey) -> None:
    judge = judge_of(authority)
    for _ in range(2):  # the second time by what was learned of the chain
        said = judge.refusal(key.chain_pem, MESSAGE, key.sign(MESSAGE), node="node-1", at=NOW)
        assert said is None


def test_what_was_altered_or_claimed_does_not(authority: Authority, key: HistoryKey) -> None:
    judge, signature = judge_of(authority), key.sign(MESSAGE)
    for message, node, at, sign in (
        (b"other", "node-1", NOW, "signature does not fit"),
        (MESSAGE, "node-2", NOW, "signed by node-1, and says that node-2 wrote it"),
        (MESSAGE, "node-1", NOW + timedelta(days=2), "while its certificate was valid"),
        (MESSAGE, "node-1", NOW - timedelta(days=1), "while its certificate was valid"),
    ):
        said = judge.refusal(key.chain_pem, message, signature, node=node, at=at)
        assert said is not None
        assert sign in said
    for garbage in ("", "x", "AAAA"):
        assert judge.refusal(key.chain_pem, MESSAGE, garbage, node="node-1", at=NOW)
        assert judge.refusal(garbage, MESSAGE, signature, node="node-1", at=NOW)


def test_another_ca_and_a_services_leaf_do_not_sign_history(
    authority: Authority, key: HistoryKey
) -> None:
    other = create_authority("mesh.test", now=NOW, ttl_s=100 * DAY_S)
    said = judge_of(other).refusal(key.chain_pem, MESSAGE, key.sign(MESSAGE), node="node-1", at=NOW)
    assert said is not None
    assert "root" in said
    private = ec.generate_private_key(ec.SECP256R1())
    for name in (service_id("mesh.test", "dc1", "web"), history_id("mesh.test", "node-1")):
        chain = authority.issue(private.public_key(), name, now=NOW, ttl_s=DAY_S)
        forged = NodeKey(private).sign(MESSAGE)
        said = judge_of(authority).refusal(chain, MESSAGE, forged, node="node-1", at=NOW)
        assert said == "its certificate is none for signing history"


def test_a_leaf_for_history_opens_no_connection(authority: Authority, key: HistoryKey) -> None:
    (leaf,) = load_certificates(key.chain_pem, at_most=1)
    public = leaf.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    name = history_id("mesh.test", "node-1")
    with pytest.raises(AnswerError, match="not for both sides"):
        check_chain(key.chain_pem, (authority.root,), spiffe_id=name, public_key=public)


def test_names_of_writers_are_read_whole() -> None:
    name = history_id("mesh.test", "node-1")
    assert history_node("mesh.test", name) == "node-1"
    for other in ("", name + "/x", name.replace("mesh.test", "mesh.test.evil"), "spiffe://mesh.test/ns/default/dc/dc1/svc/web"):  # fmt: skip
        assert history_node("mesh.test", other) is None


def test_a_pin_rules_over_what_stands_in_consul(
    authority: Authority, key: HistoryKey, tmp_path: Path
) -> None:
    roots = RootsDocument("mesh.test", (authority.root,), 0).to_bytes()
    assert HistoryJudge.of(None, tmp_path) is None
    found = HistoryJudge.of(roots, tmp_path)
    assert found is not None
    sign = key.sign(MESSAGE)
    assert found.refusal(key.chain_pem, MESSAGE, sign, node="node-1", at=NOW) is None
    other = create_authority("mesh.test", now=NOW, ttl_s=100 * DAY_S)
    Trust("mesh.test", (other.root,)).save(tmp_path / "pin.json")
    pinned = HistoryJudge.of(roots, tmp_path)
    assert pinned is not None
    assert pinned.refusal(key.chain_pem, MESSAGE, sign, node="node-1", at=NOW) is not None


async def test_only_the_elected_node_has_the_key(tmp_path: Path) -> None:
    async with Mesh(tmp_path) as mesh:
        node = mesh.node("node-1", start=False)
        assert (node.builtin.history_key(), node.builtin.signer_session) == (None, None)
        mesh.start(node)

        async def is_elected() -> bool:
            return node.builtin.is_elected

        await wait_until(is_elected, 30, what="it is elected")
        key, judge = node.builtin.history_key(), node.builtin.history_judge()
        assert key is not None
        assert judge is not None
        assert node.builtin.signer_session is not None
        assert node.builtin.history_key() is key
        said = judge.refusal(key.chain_pem, MESSAGE, key.sign(MESSAGE), node="node-1", at=NOW)
        assert said is None
        node.clock.advance(hours=20)
        renewed = node.builtin.history_key()
        assert renewed is not None
        assert renewed is not key
