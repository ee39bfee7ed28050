"""Routes of raw connections: their ports, what is in the way of them, and services that speak nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from catalog import Compiled, Compiler, LastGood, NodeFacts, Snapshot, State, compile_snapshot, full
from catalog.routes import from_resource, to_resource
from catalog.snapshot import snapshot_from_document
from tests.support.catalog import FACTS, instance, kv, state

DB = instance("db", "node-2", port=5432)
WEB = instance("web")


def made(values: dict[str, str | bytes], facts: NodeFacts = FACTS) -> Compiled:
    return compile_snapshot(state(values, DB, WEB), facts)


def listener(compiled: Compiled, name: str) -> Any:
    return compiled.resources["listeners"].get(name)


def said(compiled: Compiled) -> list[tuple[str, str]]:
    return [
        (problem.key, problem.message)
        for problem in compiled.problems
        if problem.key.startswith("mesh/")
    ]


def test_a_route_opens_its_port_where_the_edge_is() -> None:
    values: dict[str, str | bytes] = {
        "routes/db": "tcp :5432 when client=10.0.0.0/8 -> db timeout_idle=30m",
        "routes/late": "tcp :5432 -> db",
    }
    compiled = made(values)
    assert listener(compiled, "tcp:5432") == {
        "kind": "edge",
        "protocol": "tcp",
        "address": "0.0.0.0:5432",
        "identity": "edge",
    }
    assert compiled.resources["routes"]["db"] == {
        "key": "mesh/routes/db",
        "index": 100,
        "port": 5432,
        "client_addresses": ["10.0.0.0/8"],
        "action": {"split": [{"cluster": "db", "weight": 1}]},
        "idle_timeout_ms": 1_800_000,
    }
    assert said(compiled) == []
    assert listener(made(values, replace(FACTS, edge_address=None)), "tcp:5432") is None


@pytest.mark.parametrize(
    ("port", "whose"),
    [
        (8080, "the listener edge"),
        (7443, "the listener mesh"),
        (9000, "the service web itself"),
    ],
)
def test_a_port_that_is_taken_costs_itself_alone_and_is_named(port: int, whose: str) -> None:
    compiled = made({"routes/db": f"tcp :{port} -> db", "routes/web": "tcp :5432 -> web"})
    assert listener(compiled, f"tcp:{port}") is None
    assert listener(compiled, "tcp:5432") is not None
    sentence = f"port {port} is not opened on node-1: {whose} has it"
    assert said(compiled) == [("mesh/routes/db", sentence)]


def test_an_outbound_port_gives_way_to_a_route() -> None:
    compiled = made({"routes/db": "tcp :15001 -> db"})
    assert listener(compiled, "tcp:15001") is not None
    assert listener(compiled, "web") is None


@pytest.mark.parametrize(
    ("winner", "loser", "shadowed"),
    [
        ("tcp :5432 -> db", "tcp :5432 -> web", True),
        (
            "tcp :5432 when client=10.0.0.0/8 -> db",
            "tcp :5432 when client=10.1.0.0/16 -> web",
            True,
        ),
        ("tcp :5432 -> db", "tcp :5432 when client=10.0.0.0/8 -> web", False),
        ("tcp :5432 -> db priority=1", "tcp :5432 when client=10.0.0.0/8 -> web", True),
        ("tcp :5432 -> db", "tcp :5433 -> web", False),
        (
            "tcp :5432 when client=10.0.0.0/8 -> db",
            "tcp :5432 when client=11.0.0.0/8 -> web",
            False,
        ),
    ],
)
def test_of_two_routes_of_one_port_the_one_that_never_gets_a_connection_is_named(
    winner: str, loser: str, *, shadowed: bool
) -> None:
    told = said(made({"routes/a": winner, "routes/b": loser}))
    sentence = (
        "this route never matches: mesh/routes/a takes every connection to port 5432 that it could, "
        "and goes before it"
    )
    assert told == ([("mesh/routes/b", sentence)] if shadowed else [])


def test_a_port_follows_its_route_change_by_change() -> None:
    compiler = Compiler()

    def after(values: dict[str, str | bytes]) -> tuple[list[str], list[tuple[str, str]]]:
        compiled = compiler.compile(state(values, DB, WEB), FACTS)
        names = [name for name in compiled.resources["listeners"] if name.startswith("tcp:")]
        return names, said(compiled)

    assert after({"routes/a": "tcp :5432 -> db"}) == (["tcp:5432"], [])
    names, told = after({"routes/a": "tcp :5432 -> db", "routes/b": "tcp :5432 -> web"})
    assert (names, [key for key, _ in told]) == (["tcp:5432"], ["mesh/routes/b"])
    assert after({"routes/a": "tcp :5433 -> db"}) == (["tcp:5433"], [])
    assert after({"routes/a": "a.example/ -> db"}) == ([], [])


def test_a_route_of_a_port_comes_back_from_the_saved_snapshot() -> None:
    before = made({"routes/db": "tcp :5432 when client=10.0.0.0/8 -> db"})
    saved = snapshot_from_document(full(Snapshot(1, before.digest, before.resources)))
    route = LastGood.of(saved).forms["mesh/routes/db"].route
    assert to_resource(from_resource("db", to_resource(route))) == to_resource(route)
    assert route.rule.port == 5432


def _calls(policy: str) -> State:
    values: dict[str, str | bytes] = {
        "services/db": policy,
        "upstreams/web": "destinations: {db: 15010}",
        "routes/shop": "shop.example/ -> db",
    }
    return state(values, DB, WEB).apply(kv(values))


def test_a_service_calls_one_of_raw_connections_by_a_port_of_its_own() -> None:
    compiled = compile_snapshot(_calls("protocol: tcp\ntimeout_idle: 10m"), FACTS)
    assert listener(compiled, "web:db")["protocol"] == "tcp"
    assert compiled.resources["routes"]["mesh:db"]["idle_timeout_ms"] == 600_000
    sentence = "db speaks tcp by its policy, so requests are no use there; tcp :PORT -> db leads connections to it"
    assert said(compiled) == [("mesh/routes/shop", sentence)]
    assert "protocol" not in listener(compile_snapshot(_calls("protocol: http"), FACTS), "web:db")


def test_a_port_of_a_service_that_speaks_as_its_callers_do_finds_that_out() -> None:
    compiled = compile_snapshot(_calls("protocol: auto\ntimeout: 2s\ntimeout_idle: 10m"), FACTS)
    assert listener(compiled, "web:db")["protocol"] == "auto"
    assert compiled.resources["clusters"]["db"]["protocol"] == "auto"
    route = compiled.resources["routes"]["mesh:db"]
    assert (route["timeout_ms"], route["idle_timeout_ms"]) == (2000, 600_000)
    # Requests are welcome: a route of hosts may lead there.
    assert said(compiled) == []


@pytest.mark.parametrize(
    "field",
    [
        "timeout: 2s",
        "timeout_head: 1s",
        "retries: 2",
        "response_headers: {remove: x-a}",
        "limits: {concurrent: 2}",
    ],
)
def test_what_is_about_requests_is_no_policy_of_raw_connections(field: str) -> None:
    [problem] = made({"services/db": f"protocol: tcp\n{field}"}).problems
    name = field.partition(":")[0]
    assert problem.message.startswith(
        f'"{name}" is about requests, and a service with protocol: tcp'
    )
    assert (problem.line, problem.column) == (2, 1)


def test_policies_add_to_a_route_of_connections_what_it_can_have() -> None:
    compiled = made(
        {"routes/db": "tcp :5432 -> db", "settings": "timeout: 2s\ntimeout_idle: 20m\nretries: 1"}
    )
    assert compiled.resources["routes"]["db"].keys() == {
        "key",
        "index",
        "port",
        "action",
        "idle_timeout_ms",
    }
