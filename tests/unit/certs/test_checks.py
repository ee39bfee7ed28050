"""The signer's checks: each forgery is refused, with the sentence the asking node will show."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from certs import CertificateSettings, NodeKey, service_id
from certs.checks import Wish, check_node, check_request, check_service
from certs.csr import check_csr
from certs.errors import RequestError
from certs.request import SigningRequest, ask
from tests.unit.certs import forge
from tests.unit.certs.fake_consul import FakeSession
from tests.unit.certs.mesh import NOW

TRUST_DOMAIN = "mesh.test"
WEB = service_id(TRUST_DOMAIN, "dc1", "web")
KEY_PATH = "meshnode/ca/requests/node-1/web"
OTHER_NODE_KEY = NodeKey(ec.generate_private_key(ec.SECP256R1()))
NODE_KEY = NodeKey(ec.generate_private_key(ec.SECP256R1()))


def request(node_key: NodeKey = NODE_KEY, **changes: Any) -> SigningRequest:
    """The request node-1 makes for web; changes are signed as if they had been meant."""
    asked = ask("node-1", "web", spiffe_id=WEB, session="s-1", node_key=node_key, now=NOW)
    return dataclasses.replace(asked.request, **changes).signed(node_key)


def check(made: SigningRequest | bytes, path: str = KEY_PATH, **options: Any) -> Wish:
    value = made if isinstance(made, bytes) else made.to_bytes()
    settings = {
        "trust_domain": TRUST_DOMAIN,
        "datacenter": "dc1",
        "settings": CertificateSettings(),
        "now": NOW,
        "seen": (),
        **options,
    }
    return check_request(path, value, **settings)


def with_csr(*names: x509.GeneralName, **options: Any) -> SigningRequest:
    return request(csr_pem=forge.csr(names, **options))


def test_a_right_request_passes() -> None:
    wish = check(request())
    assert wish.spiffe_id == WEB
    check_node(wish.request, session())
    check_service(wish.request, {"web", "other"})


def test_a_request_comes_whole_out_of_its_bytes() -> None:
    made = request()
    assert SigningRequest.from_bytes(made.to_bytes()) == made
    assert made.is_signature_valid


FORGERIES: dict[str, tuple[Callable[[], SigningRequest], str]] = {
    "two names": (lambda: with_csr(forge.uri(WEB), forge.uri(WEB)), "asks for 2 names"),
    "its name and another": (
        lambda: with_csr(forge.uri(WEB), forge.uri(service_id(TRUST_DOMAIN, "dc1", "cart"))),
        "asks for 2 names",
    ),
    "no name": (with_csr, "asks for 0 names"),
    "a NUL behind the name": (lambda: with_csr(forge.uri(WEB + "\0.evil")), "NUL"),
    "a NUL in the name": (lambda: with_csr(forge.uri(WEB.replace("web", "w\0eb"))), "NUL"),
    "another service": (
        lambda: with_csr(forge.uri(service_id(TRUST_DOMAIN, "dc1", "cart"))),
        f"may ask for {WEB} only",
    ),
    "another datacenter": (lambda: with_csr(forge.uri(WEB.replace("dc1", "dc2"))), "only"),
    "another trust domain": (lambda: with_csr(forge.uri(WEB.replace("mesh", "hush"))), "only"),
    "upper case": (lambda: with_csr(forge.uri(WEB.upper())), "only"),
    "a trailing slash": (lambda: with_csr(forge.uri(WEB + "/")), "only"),
    "a query": (lambda: with_csr(forge.uri(WEB + "?x")), "only"),
    "an escaped letter": (lambda: with_csr(forge.uri(WEB.replace("web", "%77eb"))), "only"),
    "the name of the CA": (lambda: with_csr(forge.uri(f"spiffe://{TRUST_DOMAIN}")), "only"),
    "a CA flag": (
        lambda: with_csr(
            forge.uri(WEB), extensions=[x509.BasicConstraints(ca=True, path_length=None)]
        ),
        "asks for basicConstraints",
    ),
    "a key usage": (
        lambda: with_csr(
            forge.uri(WEB),
            extensions=[x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])],
        ),
        "asks for extendedKeyUsage",
    ),
    "a subject": (lambda: with_csr(forge.uri(WEB), subject="admin"), "has a subject"),
    "an attribute": (lambda: with_csr(forge.uri(WEB), attribute=b"hello"), "has attributes"),
    "a P-384 key": (
        lambda: with_csr(forge.uri(WEB), key=ec.generate_private_key(ec.SECP384R1())),
        "no P-256 key",
    ),
    "an RSA key": (
        lambda: with_csr(forge.uri(WEB), key=rsa.generate_private_key(65537, 2048)),
        "no P-256 key",
    ),
    "a CSR with a wrong signature": (
        lambda: request(csr_pem=forge.altered_csr(forge.csr([forge.uri(WEB)]))),
        "does not hold its key",
    ),
    "no CSR": (lambda: request(csr_pem="hello"), "no CSR in PEM"),
    "an empty CSR": (lambda: request(csr_pem=""), "no CSR in PEM"),
    "a CSR of another version": (
        lambda: request(csr_pem=forge.csr_of_version(forge.csr([forge.uri(WEB)]), 1)),
        "no CSR in PEM",
    ),
    "a CSR with letters": (lambda: request(csr_pem="é"), "no CSR in PEM"),
    "another node's place": (lambda: request(node="node-2"), "not for where it lies"),
    "another service's place": (lambda: request(service="cart"), "not for where it lies"),
    "an altered session": (
        lambda: dataclasses.replace(request(), session="s-2"),
        "signature is not by the key it names",
    ),
    "an altered time": (
        lambda: dataclasses.replace(request(), time_unix_s=int(NOW.timestamp()) + 1),
        "signature is not by the key it names",
    ),
    "an exchanged CSR": (
        lambda: dataclasses.replace(request(), csr_pem=request().csr_pem),
        "signature is not by the key it names",
    ),
    "an exchanged key": (
        lambda: dataclasses.replace(request(), public_key=OTHER_NODE_KEY.public_key),
        "signature is not by the key it names",
    ),
    "no signature": (
        lambda: dataclasses.replace(request(), signature=""),
        "signature is not by the key it names",
    ),
    "garbage for a key": (
        lambda: dataclasses.replace(request(), public_key="AAAA"),
        "public key cannot be used",
    ),
    "a clock an hour ahead": (
        lambda: request(time_unix_s=int((NOW + timedelta(hours=1)).timestamp())),
        "60 minutes ahead of the signer's clock",
    ),
    "a clock an hour behind": (
        lambda: request(time_unix_s=int((NOW - timedelta(hours=1)).timestamp())),
        "60 minutes behind the signer's clock",
    ),
    "a clock a day behind": (
        lambda: request(time_unix_s=int((NOW - timedelta(days=1)).timestamp())),
        "24 hours behind the signer's clock",
    ),
    "no time": (lambda: request(time_unix_s=-(2**62)), "behind the signer's clock"),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_request_is_refused(name: str) -> None:
    forged, sentence = FORGERIES[name]
    with pytest.raises(RequestError, match=sentence):
        check(forged())


@pytest.mark.parametrize("other", forge.OTHER_NAMES, ids=lambda name: type(name).__name__)
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "alone"])
def test_a_name_of_another_kind_is_refused(other: x509.GeneralName, *, beside: bool) -> None:
    names = (forge.uri(WEB), other) if beside else (other,)
    with pytest.raises(RequestError, match="2 names" if beside else "only a URI"):
        check(with_csr(*names))


def test_a_replay_is_refused() -> None:
    made = request()
    with pytest.raises(RequestError, match="replay"):
        check(made, seen={f"{KEY_PATH} {made.nonce}"})


def test_another_s_use_of_the_nonce_is_no_replay() -> None:
    """Every node can read requests: one could put another's nonce in its own, to have that other refused."""
    made = request()
    check(made, seen={f"meshnode/ca/requests/node-2/bad {made.nonce}"})


@given(at=st.integers(0, 2000), byte=st.integers(0, 255))
def test_no_altered_byte_of_a_csr_does_more_than_be_refused(at: int, byte: int) -> None:
    """A node signs what it likes with its own key: whatever its CSR holds, the signer only says no."""
    der = bytearray(x509.load_pem_x509_csr(CSR.encode()).public_bytes(serialization.Encoding.DER))
    at %= len(der)
    if der[at] == byte:
        return
    der[at] = byte
    with pytest.raises(RequestError):
        check_csr(forge.pem(bytes(der), "CERTIFICATE REQUEST"), WEB)


CSR = forge.csr([forge.uri(WEB)])


def test_an_excluded_service_is_refused() -> None:
    settings = CertificateSettings(excluded_services=frozenset({"web"}))
    with pytest.raises(RequestError, match="settings exclude the service web"):
        check(request(), settings=settings)


@pytest.mark.parametrize(
    "path",
    [
        "meshnode/ca/requests/web",
        "meshnode/ca/requests/node-1/web/",
        "meshnode/ca/requests/node-1/web/x",
        "meshnode/ca/requests/node-1/../web",
        "meshnode/ca/requests//web",
        "meshnode/ca/requests/node-1/w b",
        "meshnode/ca/answers/node-1/web",
    ],
)
def test_a_request_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(RequestError):
        check(request(), path)


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_nothing_else_happens(value: bytes) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        check(value)


@given(at=st.integers(0, 2000), byte=st.integers(0, 255))
def test_no_altered_byte_of_a_request_passes(at: int, byte: int) -> None:
    value = bytearray(REQUEST)
    at %= len(value)
    if value[at] == byte:
        return
    value[at] = byte
    with pytest.raises(RequestError):
        check(bytes(value))


REQUEST = request().to_bytes()


def test_a_huge_request_is_not_read() -> None:
    made = dataclasses.replace(request(), signature=base64.b64encode(b"x" * 100_000).decode())
    with pytest.raises(RequestError, match="bytes long"):
        check(made)


@pytest.mark.parametrize("nonce", ["", "short", "x" * 33, "?" * 32, "\u0660" * 32])
def test_a_nonce_of_another_form_is_refused(nonce: str) -> None:
    with pytest.raises(RequestError, match="nonce"):
        check(request(nonce=nonce))


def session(**changes: Any) -> FakeSession:
    made = FakeSession("s-1", NODE_KEY.session_name, "node-1", "delete", 0)
    return dataclasses.replace(made, **changes)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (None, "session s-1 is not alive"),
        (session(node="node-2"), "one of node node-2, not of node-1"),
        (session(node="NODE-1"), "not of node-1"),
        (session(name=OTHER_NODE_KEY.session_name), "another key than the one that signed"),
        (session(name="meshnode"), "another key"),
        (session(name=""), "another key"),
        (session(name=NODE_KEY.session_name + " "), "another key"),
    ],
)
def test_another_session_proves_nothing(made: FakeSession | None, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        check_node(request(), made)


def test_another_nodes_session_id_under_ones_own_key_is_refused() -> None:
    """Everybody reads session ids in KV answers; the Name binds the session to its owner's key."""
    forged = request(OTHER_NODE_KEY)
    check(forged)
    with pytest.raises(RequestError, match="another key than the one that signed"):
        check_node(forged, session())


def test_a_service_the_node_does_not_run_is_refused() -> None:
    with pytest.raises(RequestError, match="no service web is registered on node node-1"):
        check_service(request(), {"cart", "webx", "we"})


def test_the_state_folder_s_key_is_the_one_that_signs(tmp_path: Path) -> None:
    key = NodeKey.load_or_create(tmp_path / "node.key")
    assert check(request(key)).request.public_key == key.public_key
