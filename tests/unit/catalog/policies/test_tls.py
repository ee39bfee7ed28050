"""TLS settings in KV: read with their places, never in clear, and closed where what they demand is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog import KvEntry, Problem, TlsFault, TlsSettings, compile_snapshot, tls_host, tls_key
from catalog.compiler import Compiler
from catalog.policies.read import Written, read_entry
from catalog.policies.tls import TlsJudge
from tests.support.catalog import FACTS, state

PEM = "-----BEGIN CERTIFICATE-----\n    AAAA\n    -----END CERTIFICATE-----"
GOOD = f"certificate: |\n    {PEM}\nkey: sealed-v1:abc:AAAA\n"
CLIENTS = f"client_certificates:\n  mode: required\n  authorities: |\n    {PEM}\n"


def read(value: str) -> Written[TlsSettings] | Problem:
    found = read_entry("mesh/tls/", KvEntry("mesh/tls/shop.example", value.encode(), 7))
    assert isinstance(found, Problem) or isinstance(found.meaning, TlsSettings)
    return found  # type: ignore[return-value]  # its meaning was looked at


def test_all_fields_are_read() -> None:
    found = read(GOOD + CLIENTS + "policy: modern\n")
    assert isinstance(found, Written)
    meaning = found.meaning
    assert (meaning.policy, meaning.key) == ("modern", "sealed-v1:abc:AAAA")
    assert meaning.clients is not None
    assert meaning.clients.mode == "required"
    assert (meaning.at["key"].line, meaning.at["certificate"].line) == (5, 1)
    assert "sealed" not in repr(meaning)


@pytest.mark.parametrize(
    ("value", "sentence", "place"),
    [
        (GOOD.replace("sealed-v1:abc:AAAA", '"-----BEGIN PRIVATE KEY-----"'), "stands here in clear", (5, 1)),
        ("certificate: '-----BEGIN EC PRIVATE KEY-----'", "stands here in clear", (1, 1)),
        (GOOD.replace("sealed-v1:abc:AAAA", "abc"), "the key is not sealed: meshnode tls put", (5, 1)),
        ("key: sealed-v1:a:b", 'the field "certificate" is missing', (1, 1)),
        ("certificate: x\nkey: sealed-v1:a:b", "is text in PEM", (1, 1)),
        ("policy: old", "modern or intermediate", (1, 9)),
        ("certificat: x", 'did you mean "certificate"?', (1, 1)),
        ("redirect: true", "it stands in mesh/settings or a route", (1, 1)),
        ("client_certificates: {mode: maybe}", "required or optional", (1, 29)),
        ("client_certificates: {mode: required}", 'the field "authorities" is missing', (1, 1)),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place_and_its_line_is_not_quoted(
    value: str, sentence: str, place: tuple[int, int]
) -> None:
    found = read(value)
    assert isinstance(found, Problem)
    assert sentence in found.message
    assert (found.line, found.column) == place
    assert found.source is None


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("shop.example", "mesh/tls/shop.example"),
        ("*.shop.example", "mesh/tls/_wildcard.shop.example"),
    ],
)
def test_a_host_has_its_key(host: str, key: str) -> None:
    assert (tls_key(host), tls_host(key)) == (key, host)


def refusing(sentence: str, *, is_error: bool = True) -> TlsJudge:
    return lambda _host, _settings: (TlsFault("key", sentence, is_error),)


def test_the_table_has_what_hosts_demand_and_no_key() -> None:
    made = compile_snapshot(state({"tls/shop.example": GOOD + CLIENTS}), FACTS)
    (resource,) = made.resources["tls"].values()
    assert resource["client_certificates"]["mode"] == "required"
    assert "sealed" not in repr(resource)
    assert resource["key"] == "mesh/tls/shop.example"
    other = compile_snapshot(state({"tls/shop.example": GOOD}), replace(FACTS, edge_address=None))
    assert other.resources["tls"] == {}


@pytest.mark.parametrize(
    ("value", "is_closed"),
    [
        (CLIENTS.replace("required", "requird"), True),
        ("clientcertificates: {}", True),
        ("nonsense", True),
        ("policy: old", False),
    ],
)
def test_a_host_that_never_was_readable_is_closed_where_it_may_demand_something(
    value: str, *, is_closed: bool
) -> None:
    made = compile_snapshot(state({"tls/shop.example": value}), FACTS)
    assert [problem.severity for problem in made.problems] == ["error"]
    assert bool(made.resources["tls"]) is is_closed
    if is_closed:
        assert made.resources["tls"]["shop.example"]["closed"]


def test_broken_settings_leave_the_last_good_ones_in_force() -> None:
    compiler = Compiler()
    compiler.compile(state({"tls/shop.example": CLIENTS}), FACTS)
    made = compiler.compile(state({"tls/shop.example": "client_certificates: 7"}), FACTS)
    assert made.resources["tls"]["shop.example"]["client_certificates"]["mode"] == "required"
    assert made.problems[0].serving_index is not None


def test_who_reads_certificates_refuses_warns_and_is_asked_anew_when_it_is_another() -> None:
    compiler = Compiler()
    keys = state({"tls/shop.example": GOOD + "policy: modern\n"})
    warned = replace(FACTS, tls_judge=refusing("no key here", is_error=False))
    made = compiler.compile(keys, warned)
    assert [one.severity for one in made.problems] == ["warning"]
    assert (made.problems[0].line, made.problems[0].message) == (5, "no key here")
    assert made.resources["tls"]["shop.example"]["policy"] == "modern"
    refused = compiler.compile(keys, replace(FACTS, tls_judge=refusing("another key")))
    assert [one.severity for one in refused.problems] == ["error"]
    # It served, and goes on.
    assert refused.resources["tls"]["shop.example"]["policy"] == "modern"
    assert compiler.compile(keys, FACTS).problems == ()
    fresh = compile_snapshot(keys, replace(FACTS, tls_judge=refusing("another key")))
    assert fresh.resources["tls"] == {}


def test_a_host_of_a_file_has_settings_and_a_key_of_it_counts_first() -> None:
    facts = replace(FACTS, file_hosts=frozenset({"shop.example", "more.example"}))
    made = compile_snapshot(state({"tls/shop.example": GOOD}), facts)
    assert {host: one["key"] for host, one in made.resources["tls"].items()} == {
        "shop.example": "mesh/tls/shop.example",
        "more.example": "edge.certificates_folder",
    }
    assert ["has a certificate for shop.example too" in one.message for one in made.problems] == [
        True
    ]
