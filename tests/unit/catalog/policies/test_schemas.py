"""The published schemas of policies: a node and the schema take what is meant, and the schema refuses nothing a node takes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from catalog import SCHEMA_KINDS, schema_of
from catalog.keys import DRAIN, SERVICES, SETTINGS, UPSTREAMS
from catalog.language.written import to_document
from catalog.model import KvEntry
from catalog.policies import sent_on
from catalog.policies.read import read_entry
from tests.support.damage import damaged
from tests.support.rules import COUNTS, NAMES, PER, rules
from tests.support.rules import SERVICES as NAMED

PREFIXES = {"service": SERVICES, "settings": SETTINGS, "upstreams": UPSTREAMS, "drain": DRAIN}
VALIDATORS = {
    kind.name: Draft202012Validator(schema_of(kind))
    for kind in SCHEMA_KINDS
    if kind.name in PREFIXES
}
TIMES = st.sampled_from(["250ms", "2s", "1.5m"])
BRIEF = st.sampled_from(["1ms", "250ms", "10s"])
SENT_ON = rules().map(
    lambda rule: {name: said for name, said in to_document(rule).items() if name in sent_on.READERS}
)
"""What any route may say of it."""


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


LIMITS = some(
    head_bytes=st.integers(1024, 65_536),
    headers=st.integers(1, 256),
    connections=st.integers(1, 1_000_000),
    pool_idle_per_endpoint=st.integers(0, 10_000),
    head_timeout=TIMES,
    idle_timeout=TIMES,
    body_idle_timeout=TIMES,
    tunnel_idle_timeout=TIMES,
    connect_timeout=TIMES,
    detect_timeout=BRIEF,
    pool_idle_timeout=TIMES,
    body_bytes=st.integers(1, 2**40),
)
OF_SERVICES = some(
    protocol=st.sampled_from(["http", "http2", "grpc", "auto"]),
    balance=st.just("weighted_round_robin"),
    health=st.just("consul"),
    mtls=st.just("permissive"),
    warning=st.sampled_from(["in", "out"]),
    limits=some(body_bytes=st.integers(1, 2**40), concurrent=COUNTS, per=PER.filter(bool)).filter(
        lambda limits: "concurrent" in limits or set(limits) == {"body_bytes"}
    ),
)
NETWORKS = st.sampled_from(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])
OF_SETTINGS = some(
    trusted_clients=NETWORKS | st.lists(NETWORKS, max_size=3),
    strict_paths=st.booleans(),
    limits=LIMITS,
)
DRAINS = st.fixed_dictionaries(
    {"instance": NAMES}, optional={"node": NAMES, "service": NAMED, "for": TIMES}
)


def is_clear(destinations: dict[str, int]) -> bool:
    return len(set(destinations.values())) == len(destinations)


KINDS = {
    "service": st.tuples(SENT_ON, OF_SERVICES).map(lambda two: two[0] | two[1]),
    "settings": st.tuples(SENT_ON, OF_SETTINGS).map(lambda two: two[0] | two[1]),
    "upstreams": st.one_of(
        st.fixed_dictionaries({"port": st.integers(1, 65_535)}),
        st.fixed_dictionaries(
            {
                "destinations": st.dictionaries(NAMED, st.integers(2, 65_535), max_size=3).filter(
                    is_clear
                )
            },
            optional={"port": st.just(1)},
        ),
    ),
    "drain": DRAINS,
}


def is_taken_by_node(kind: str, document: Any) -> bool:
    entry = KvEntry(PREFIXES[kind] + "x", orjson.dumps(document), 7)
    return not hasattr(read_entry(PREFIXES[kind], entry), "severity")


def is_taken_by_schema(kind: str, document: Any) -> bool:
    return bool(VALIDATORS[kind].is_valid(document))


def test_each_kind_has_its_documents_here() -> None:
    assert set(KINDS) == set(VALIDATORS) == set(PREFIXES)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_meant_both_take(kind: str, data: st.DataObject) -> None:
    document = data.draw(KINDS[kind])
    assert is_taken_by_schema(kind, document)
    assert is_taken_by_node(kind, document)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_damaged_document_is_never_taken_by_a_node_alone(kind: str, data: st.DataObject) -> None:
    document = data.draw(KINDS[kind].flatmap(damaged))
    if is_taken_by_node(kind, document):
        assert is_taken_by_schema(kind, document)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("service", {"timeout": 2}),
        ("service", {"timeout": "2h"}),
        ("service", {"tiemout": "2s"}),
        ("service", {"warning": "maybe"}),
        ("service", {"limits": {}}),
        ("service", {"limits": {"concurrent": 0}}),
        ("service", {"limits": {"concurrent": 1, "per": "user"}}),
        ("service", {"limits": {"body_bytes": "1MiB"}}),
        ("settings", {"limits": {"body_bytes": 0}}),
        ("service", {"mtls": "strict"}),
        ("service", {"retries": {"on": ["5xx"]}}),
        ("service", {"retries": {"attempts": 1, "on": []}}),
        ("service", {"retries": {"attempts": 1, "backoff": None}}),
        ("service", {"request_headers": {"remove": [], "add": {"x-a": "1"}}}),
        ("service", ["timeout"]),
        ("settings", {"limits": {"headers": 0}}),
        ("settings", {"limits": {"head_bytes": 1023}}),
        ("settings", {"limits": []}),
        ("settings", {"strict_paths": "yes"}),
        ("settings", {"trusted_clients": [True]}),
        ("upstreams", {}),
        ("upstreams", {"port": 0}),
        ("upstreams", {"port": "15005"}),
        ("upstreams", {"destinations": {"stock": "15006"}}),
        ("upstreams", {"destinations": {"stock": 0}}),
        ("upstreams", {"destinations": None}),
        ("upstreams", {"destinations": ["stock"]}),
        ("upstreams", {"destinations": {f"s{at}": at + 1 for at in range(65)}}),
        ("drain", {"node": "node-2"}),
        ("drain", {"instance": True}),
        ("drain", {"instance": None}),
        ("drain", {"instance": "cart-1", "for": 5}),
    ],
)
def test_what_the_schema_refuses_a_node_refuses(kind: str, document: Any) -> None:
    assert not is_taken_by_schema(kind, document)
    assert not is_taken_by_node(kind, document)
