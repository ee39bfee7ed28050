"""What a node has of the edge's keys: files that change, the default certificate, and what is shown of all that."""

from __future__ import annotations

import time
from pathlib import Path

import orjson

from catalog import ClientCertificates, KvEntry, Policies, TlsSettings, decide_policies
from certs import DEFAULT_HOST, KeyEncryptionKey, seal_key
from meshnode.agent.edge_certificates import CertificateJudge, EdgeCertificates
from meshnode.agent.edge_secrets import EdgeKeeper, EdgeSecrets
from meshnode.agent.events import Event, OwnProblem
from meshnode.config import Folders, Given, read_settings
from tests.support.edge_certificates import made

HOUR = int(time.time()) // 3600


def keeper(folder: Path, **settings: str) -> tuple[EdgeKeeper, list[Event]]:
    environment = {
        "MESHNODE_STATE_FOLDER": str(folder / "state"),
        "MESHNODE_EDGE_CERTIFICATES_FOLDER": str(folder / "certificates"),
        **settings,
    }
    read = read_settings(Given({}, environment, None))
    (folder / "state").mkdir(mode=0o700, exist_ok=True)
    (folder / "certificates").mkdir(exist_ok=True)
    events: list[Event] = []
    return (
        EdgeKeeper(
            read, Folders.of(read), node=lambda: "node-1", post=events.append, clock=time.time
        ),
        events,
    )


def write(folder: Path, host: str, certificate: str, key: str) -> None:
    (folder / "certificates" / f"{host}.crt").write_text(certificate)
    path = folder / "certificates" / f"{host}.key"
    path.write_text(key)
    path.chmod(0o600)


def told(events: list[Event]) -> list[str | None]:
    return [
        None if event.problem is None else event.problem.message
        for event in events
        if isinstance(event, OwnProblem)
    ]


def test_files_are_read_again_and_a_wrong_one_leaves_the_last_good_one(tmp_path: Path) -> None:
    found, events = keeper(tmp_path)
    assert found.read().files == {}
    good = made("shop.example")
    write(tmp_path, "shop.example", good.certificate, good.key)
    wild = made("*.shop.example")
    write(tmp_path, "_wildcard.shop.example", wild.certificate, wild.key)
    first = found.read()
    assert sorted(first.files) == ["*.shop.example", "shop.example"]
    assert told(events) == []
    assert found.read() == first
    write(tmp_path, "shop.example", good.certificate, wild.key)
    assert found.read() == first
    assert told(events) == ["the key is not that of the certificate"]
    renewed = made("shop.example")
    write(tmp_path, "shop.example", renewed.certificate, renewed.key)
    assert found.read().files["shop.example"] != first.files["shop.example"]
    assert told(events)[-1] is None


def test_a_file_of_no_host_of_another_or_that_all_may_read_is_named(tmp_path: Path) -> None:
    found, events = keeper(tmp_path)
    one = made("shop.example")
    write(tmp_path, "other.example", one.certificate, one.key)
    write(tmp_path, "what?", one.certificate, one.key)
    write(tmp_path, "shop.example", one.certificate, one.key)
    (tmp_path / "certificates" / "shop.example.key").chmod(0o644)
    assert found.read().files == {}
    sentences = told(events)
    assert len(sentences) == 3
    for part in ("not for other.example", "chmod 600", "is no host"):
        assert any(sentence and part in sentence for sentence in sentences), part


def test_only_an_edge_with_tls_has_a_default_certificate(tmp_path: Path) -> None:
    for settings, is_there in (
        ({}, True),
        ({"MESHNODE_EDGE_TLS_ADDRESS": "off"}, False),
        ({"MESHNODE_EDGE_ADDRESS": "off"}, False),
    ):
        found, _ = keeper(tmp_path, **settings)
        assert (found.read().default is not None) is is_there


KEY = KeyEncryptionKey.generate()


def secrets(tmp_path: Path, key: KeyEncryptionKey | None = KEY) -> EdgeSecrets:
    default = keeper(tmp_path)[0].read().default
    return EdgeSecrets(
        is_edge=True,
        node="node-1",
        key=key,
        key_id=key.id if key else "",
        key_path="/k.json",
        default=default,
        hour=HOUR,
    )


def test_the_judge_refuses_what_no_client_could_use(tmp_path: Path) -> None:
    judge = CertificateJudge(secrets(tmp_path))
    good, other = made("shop.example"), made("shop.example")
    sealed = seal_key(KEY, "shop.example", good.key.encode())
    assert judge("shop.example", TlsSettings(good.certificate, sealed)) == ()
    for settings, part, sentence in [
        (TlsSettings(other.certificate, sealed), "key", "not that of the certificate"),
        (TlsSettings(made("a.example").certificate, sealed), "certificate", "not for shop.example"),
        (TlsSettings(good.certificate, seal_key(KEY, "b.example", b"x")), "key", "for another host"),
        (TlsSettings(clients=ClientCertificates("required", good.certificate)), "client_certificates", "no authority"),
    ]:  # fmt: skip
        (fault,) = judge("shop.example", settings)
        assert (fault.part, fault.is_error) == (part, True)
        assert sentence in fault.sentence


def test_a_node_without_the_key_says_so_and_shows_its_default(tmp_path: Path) -> None:
    without = secrets(tmp_path, None)
    good = made("shop.example")
    sealed = seal_key(KEY, "shop.example", good.key.encode())
    (fault,) = CertificateJudge(without)("shop.example", TlsSettings(good.certificate, sealed))
    assert not fault.is_error
    assert "node-1 has no key-encryption key (/k.json)" in fault.sentence
    shown = EdgeCertificates()
    shown.secrets = without
    document = {"certificate": good.certificate, "key": sealed}
    entry = KvEntry("mesh/tls/shop.example", orjson.dumps(document), 7)
    policies = decide_policies((entry,), Policies())
    assert list(shown.wanted(policies)) == [DEFAULT_HOST]
    assert shown.tickets(time.time()) is None
    shown.secrets = secrets(tmp_path)
    assert list(shown.wanted(policies)) == ["shop.example", DEFAULT_HOST]
    assert shown.tickets(time.time()) is not None
