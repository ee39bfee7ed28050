"""Each kind of document: what it means, and of each mistake the place, the sentence and what was probably meant."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import pytest

from catalog import KvEntry, Problem
from catalog.keys import policy_prefix
from catalog.policies.drains import Drain
from catalog.policies.read import Written, read_entry
from catalog.policies.service import ServicePolicy
from catalog.policies.settings import MeshSettings
from catalog.policies.upstreams import Upstreams
from tests.support.edge_certificates import made


def read(key: str, value: str | bytes) -> Written[Any] | Problem:
    raw = value if isinstance(value, bytes) else value.encode()
    prefix = policy_prefix(f"mesh/{key}")
    assert prefix is not None
    return read_entry(prefix, KvEntry(f"mesh/{key}", raw, 7))


def test_a_service_says_how_requests_to_it_are_sent_on() -> None:
    found = read(
        "services/cart",
        "protocol: http\nbalance: weighted_round_robin\nhealth: consul\nmtls: permissive\nwarning: out\n"
        "timeout: 2s\ntimeout_head: 500ms\nretries: {attempts: 2, on: [503, connect]}\n"
        "request_headers: {set: {X-Team: shop}}\n",
    )
    assert isinstance(found, Written)
    assert (found.key, found.index, found.meaning) == (
        "mesh/services/cart",
        7,
        ServicePolicy(
            {
                "timeout_ms": 2000,
                "head_timeout_ms": 500,
                "retries": {"attempts": 2, "on": ["503", "connect"]},
                "request_headers": {"set": [{"name": "x-team", "value": "shop"}]},
            },
            "out",
        ),
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("tls: Cart.Example.", {"server_name": "cart.example"}),
        ("tls: 10.0.0.7", {"server_name": "10.0.0.7"}),
        ("tls: '::1'", {"server_name": "::1"}),
        ("tls: '[::1]'", {"server_name": "::1"}),
        ("tls: {server_name: cart.example}", {"server_name": "cart.example"}),
    ],
)
def test_instances_that_end_tls_are_named(written: str, meant: dict[str, str]) -> None:
    found = read("services/cart", written)
    assert isinstance(found, Written), found
    assert found.meaning == ServicePolicy({}, tls=meant)


def test_who_signed_their_certificates_is_taken_as_written_where_it_can_be_read() -> None:
    pem = made(is_authority=True).certificate
    written = f"tls:\n  server_name: cart.example\n  authorities: |\n{indent(pem, '    ')}"
    found = read("services/cart", written)
    assert isinstance(found, Written), found
    assert found.meaning.tls == {"server_name": "cart.example", "authorities_pem": pem}
    broken = read("services/cart", written.replace("MII", "MIX", 1))
    assert isinstance(broken, Problem)
    assert "has no certificate that can be read" in broken.message
    assert (broken.line, broken.column) == (3, 3)


def test_settings_say_what_holds_for_all() -> None:
    found = read(
        "settings",
        '{"timeout": "30s", "retries": 1, "trusted_clients": ["10.0.0.0/8", "::1"], "strict_paths": true,'
        ' "limits": {"head_bytes": 16384, "idle_timeout": "1m"}}',
    )
    assert isinstance(found, Written)
    assert found.meaning == MeshSettings(
        {"timeout_ms": 30_000, "retries": {"attempts": 1}},
        {"trusted_clients": ["10.0.0.0/8", "::1/128"], "strict_paths": True},
        {"head_bytes": 16_384, "idle_timeout_ms": 60_000},
    )


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("cart-1", Drain("cart-1")),
        ("# away for an update\ncart-1 on node-2 for 5m\n", Drain("cart-1", "node-2", None, 300_000)),
        ("cart-1 of cart", Drain("cart-1", None, "cart")),
        ("cart:1 on node-2", Drain("cart:1", "node-2")),
        ("instance: cart-1", Drain("cart-1")),
        ("{instance: cart-1, node: node-2, service: cart, for: 30s}", Drain("cart-1", "node-2", "cart", 30_000)),
    ],
)  # fmt: skip
def test_a_drain_is_a_line_or_a_document(value: str, meaning: Drain) -> None:
    found = read("drain/cart", value)
    assert isinstance(found, Written)
    assert found.meaning == meaning


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ("port: 15005", Upstreams(15_005)),
        ("destinations: {stock: 15006}", Upstreams(None, {"stock": 15_006})),
        (
            "port: 15005\ndestinations:\n  stock: 15006\n  cart: 15007\n",
            Upstreams(15_005, {"stock": 15_006, "cart": 15_007}),
        ),
        ("destinations: {}", Upstreams()),
    ],
)
def test_upstreams_say_a_port_and_ports_of_destinations(value: str, meaning: Upstreams) -> None:
    found = read("upstreams/web", value)
    assert isinstance(found, Written)
    assert found.meaning == meaning


LATER = "is not in this version yet, so the key is refused"


@pytest.mark.parametrize(
    ("key", "value", "place", "sentence", "suggestion"),
    [
        ("services/cart", "tiemout: 2s", (1, 1), 'no field is called "tiemout"; did you mean "timeout"?', "timeout"),
        ("services/cart", "\ntimeout: 2", (2, 10), 'the time "2" needs a unit: ms, s or m; did you mean "2s"?', "2s"),
        ("services/cart", "timeout: [2s]", (1, 10), 'the field "timeout" is one value, not a list', None),
        ("services/cart", "timeout:", (1, 1), 'the field "timeout" has no value', None),
        ("services/cart", "balance: least_request", (1, 10), f'"balance" "least_request" {LATER}', None),
        ("services/cart", "health: {path: /x}", (1, 9),
            f'"health" with fields of its own {LATER}; this one knows health: consul', None),
        ("services/cart", "balance:\n  hash: cookie", (2, 3),
            f'"balance" with fields of its own {LATER}; this one knows balance: weighted_round_robin', None),
        ("services/cart", "warning: {a: b}", (1, 10), 'the field "warning" is one value, not a mapping', None),
        ("services/cart", "balance: weighted", (1, 10), 'the field "balance" is weighted_round_robin, not "weighted"', None),
        ("services/cart", "mtls: strict", (1, 7), f'"mtls" "strict" {LATER}', None),
        ("services/cart", "protocol: tls", (1, 11),
            "the protocol is what is spoken inside; that instances end TLS says tls: NAME, as in tls: db.example", None),
        ("services/cart", "protocol: auot", (1, 11),
            'the field "protocol" is http or http2 or grpc or tcp or auto, not "auot"; did you mean "auto"?', "auto"),
        ("services/cart", "protocol: auto\ntls: cart.example", (2, 1),
            ('the field "tls" is not for protocol: auto, whose callers speak TLS to the instances themselves; for nodes to do '
            "it say what is spoken inside, as in protocol: http"), None),
        ("settings", "limits: {detect_timeout: 11s}", (1, 26), 'the field "detect_timeout" is at most 10s', None),
        ("settings", "limits: {detect_timeout: 0s}", (1, 26),
            "a timeout of 0 would let nothing through; leave it away for none", None),
        ("settings", "detect_timeout: 1s", (1, 1),
            'no field is called "detect_timeout" here: limits stand in a mapping, as in limits: {head_bytes: 16384}', None),
        ("services/cart", "tls: true", (1, 6), 'the field "tls" is text, not the value true', None),
        ("services/cart", "tls: '*.cart.example'", (1, 7), "a certificate is asked for one name: write it without *", None),
        ("services/cart", "tls: {verify: none}", (1, 7),
            ('no field is called "verify" here: whom an instance proves to be is never left out: name the authority that '
            "signed its certificate (authorities: its PEM)"), None),
        ("services/cart", "tls: {}", (1, 1),
            'the field "server_name" is missing: whom the instances\' certificate is for', None),
        ("services/cart", "tls: {server_name: cart.example, authorities: x}", (1, 34),
            'the field "authorities" is text in PEM, which begins with -----BEGIN', None),
        ("services/cart", "ejection: {}", (1, 1), f'the field "ejection" {LATER}', None),
        ("services/cart", "warning: inn", (1, 10), 'the field "warning" is in or out, not "inn"; did you mean "in"?', "in"),
        ("services/cart", "limits: {burst: 3}", (1, 10),
            '"burst" says how many may come at once of "requests_per_second", which is missing', None),
        ("services/cart", "limits: {}", (1, 1),
            "this limits nothing; body_bytes, requests_per_second or concurrent does", None),
        ("services/cart", "limits: {requests: 3}", (1, 10), 'no field is called "requests"', None),
        ("services/cart", "requests_per_second: 3", (1, 1),
            'no field is called "requests_per_second" here: limits stand in a mapping, as in limits: {requests_per_second: 100}', None),
        ("settings", "limits: {body_bytes: 0}", (1, 22), 'the field "body_bytes" is a number from 1 to 1,099,511,627,776', None),
        ("services/cart", "weight: 3", (1, 1),
            'no field is called "weight" here: an instance\'s weight is its registration\'s, in Consul', None),
        ("services/cart", "retries: {attempts: 2, onn: [503]}", (1, 24), 'no field is called "onn"; did you mean "on"?', "on"),
        ("services/cart", "retries: 11", (1, 10), 'the number of retries is a number from 0 to 10, not "11"', None),
        ("services/cart", "request_headers: {set: {host: x}}", (1, 25),
            '"host" frames or routes the message, or is the mesh\'s own; rewrite_host changes it', None),
        ("services/cart", "just words", (1, 1), "the document is a mapping of fields, as in timeout: 2s", None),
        ("services/cart", "", (None, None), "the value is empty; to remove a service's policy, delete its key", None),
        ("settings", "trace_ratio: 0.5", (1, 1),
            'no field is called "trace_ratio" here: it stands in each node\'s settings file (docs/settings.md)', None),
        ("settings", "limits: {head_byts: 1}", (1, 10), 'no field is called "head_byts"; did you mean "head_bytes"?', "head_bytes"),
        ("settings", "limits: {head_bytes: 70000}", (1, 22), 'the field "head_bytes" is a number from 1,024 to 65,536', None),
        ("settings", "limits: 5", (1, 9), 'the field "limits" is a mapping of fields', None),
        ("settings", "trusted_clients: 10.0.0.1/8", (1, 18),
            '"10.0.0.1/8" is no network; did you mean "10.0.0.0/8"?', "10.0.0.0/8"),
        ("settings", "strict_paths: yes", (1, 15), 'the field "strict_paths" is true or false', None),
        ("settings", "request_id: true", (1, 1), f'the field "request_id" {LATER}', None),
        ("upstreams/web", "15432: stock", (1, 1),
            "a port that means one service is written destinations: {SERVICE: 15432}", None),
        ("upstreams/web", "ports: {15432: stock}", (1, 1),
            'no field is called "ports" here: a port that means one service stands in destinations: {stock: 15006}', None),
        ("upstreams/web", "destinations: {15432: stock}", (1, 16),
            "a destination is a service and its port, as in destinations: {stock: 15006}", None),
        ("upstreams/web", "destinations: [stock]", (1, 15),
            'the field "destinations" is a mapping, as in destinations: {stock: 15006}', None),
        ("upstreams/web", "destinations: {stock: 0}", (1, 23), 'the field "stock" is a number from 1 to 65,535', None),
        ("upstreams/web", "destinations: {stock: 15006, cart: 15006}", (1, 36), 'the port 15006 means "stock" already', None),
        ("upstreams/web", "destinations: {edge: 15006}", (1, 16),
            '"edge" is no service to lead to: the mesh uses it itself', None),
        ("upstreams/web", "destinations: {'cart[tag=v2]': 15006}", (1, 17),
            '"cart[tag=v2]" is no service\'s name: letters, digits, _ . and - make one', None),
        ("upstreams/web", "port: 15006\ndestinations: {stock: 15006}", (2, 1),
            'the port 15006 is the one for all calls: it can not mean "stock" alone', None),
        ("upstreams/web", "destinations: {" + ", ".join(f"s{n}: {n + 1}" for n in range(65)) + "}", (1, 1),
            "a service has at most 64 destinations", None),
        ("upstreams/web", "port: 70000", (1, 7), 'the field "port" is a number from 1 to 65,535', None),
        ("upstreams/web", "{}", (1, 1), 'one of the fields "port" and "destinations" is needed', None),
        ("drain/x", "cart-1 at node-2", (1, 8), '"at" has no place here: a drain is written as cart-1 on node-2 for 5m', None),
        ("drain/x", "cart-1 on", (1, 8), 'behind "on" its value is missing', None),
        ("drain/x", "cart-1 for 5m for 6m", (1, 15), '"for" stands here twice', None),
        ("drain/x", "cart-1\ncart-2", (2, 1), "a drain is one line, or a document of fields", None),
        ("drain/x", "node: node-2", (1, 1), 'the field "instance" is missing', None),
        ("drain/x", "instance: cart-1\nuntil: noon", (2, 1), f'the field "until" {LATER}', None),
        ("drain/x", "instnce: cart-1", (1, 1), 'no field is called "instnce"; did you mean "instance"?', "instance"),
    ],
)  # fmt: skip
def test_a_mistake_has_place_sentence_and_suggestion(
    key: str,
    value: str,
    place: tuple[int | None, int | None],
    sentence: str,
    suggestion: str | None,
) -> None:
    found = read(key, value)
    assert isinstance(found, Problem)
    assert (found.key, found.index, found.severity) == (f"mesh/{key}", 7, "error")
    assert found.message == sentence
    assert (found.line, found.column) == place
    assert found.suggestion == suggestion


@pytest.mark.parametrize("key", ["services/cart", "settings", "upstreams/web", "drain/x"])
def test_what_is_no_text_is_named(key: str) -> None:
    found = read(key, b"\xff\x00")
    assert isinstance(found, Problem)
    assert "UTF-8" in found.message
