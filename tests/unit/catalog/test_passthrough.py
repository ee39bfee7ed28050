"""Routes of server names: what the proxy is told, which never get a connection, and hosts whose TLS ends at the edge."""

from __future__ import annotations

from dataclasses import replace

from catalog import Compiled, Compiler, NodeFacts, compile_snapshot
from catalog.routes import from_resource, to_resource
from tests.support.catalog import FACTS, instance, state

DB = instance("db", "node-2", port=5432)
WEB = instance("web")
EDGE = replace(FACTS, edge_tls_address="0.0.0.0:8443")
PEM = "-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"
CLIENTS = f'{{"client_certificates": {{"mode": "required", "authorities": "{PEM}"}}}}'
POLICY = '{"policy": "modern"}'


def made(values: dict[str, str], facts: NodeFacts = EDGE) -> Compiled:
    return compile_snapshot(state({**values}, DB, WEB), facts)


def said(compiled: Compiled) -> list[tuple[str, str]]:
    return [(one.key, one.message) for one in compiled.problems if one.key.startswith("mesh/")]


def test_the_proxy_is_told_the_names() -> None:
    compiled = made({"routes/db": "sni db.example,*.db.example -> db passthrough timeout_idle=30m"})
    resource = compiled.resources["routes"]["db"]
    assert resource == {
        "key": "mesh/routes/db",
        "index": 100,
        "sni": ["db.example", "*.db.example"],
        "action": {"split": [{"cluster": "db", "weight": 1}]},
        "idle_timeout_ms": 1_800_000,
    }
    assert said(compiled) == []
    route = from_resource("db", resource)
    assert route is not None
    assert to_resource(route) == resource


def test_policies_of_requests_add_nothing_to_it() -> None:
    compiled = made(
        {
            "routes/db": "sni db.example -> db passthrough",
            "settings": "timeout: 3s\ntimeout_idle: 9m\nrequest_headers: {set: {x: y}}",
        }
    )
    assert compiled.resources["routes"]["db"].keys() == {
        "key", "index", "sni", "action", "idle_timeout_ms",
    }  # fmt: skip


def test_a_route_that_never_gets_a_connection_names_who_takes_it() -> None:
    compiled = made(
        {
            "routes/a": "sni db.example -> db passthrough",
            "routes/b": "sni db.example,other.example -> web passthrough",
            "routes/c": "sni *.example -> web passthrough",
        }
    )
    sentence = "this route never gets a connection for db.example: mesh/routes/a takes each that it could, and goes before it"
    assert said(compiled) == [("mesh/routes/b", sentence)]
    above = made(
        {
            "routes/a": "sni db.example when client=10.0.0.0/8 -> db passthrough",
            "routes/c": "sni *.example -> web passthrough priority=1",
        }
    )
    assert [key for key, _ in said(above)] == ["mesh/routes/a"]
    some = made(
        {
            "routes/a": "sni db.example when client=10.0.0.0/8 -> db passthrough",
            "routes/b": "sni db.example -> web passthrough",
        }
    )
    assert said(some) == []


def test_a_name_that_ends_at_the_edge_too_is_a_conflict_told_at_both_keys() -> None:
    for name, host, why in [
        ("db.example", "db.example", "is for the same name"),
        ("*.example", "_wildcard.example", "is for the same name"),
        ("*.db.example", "_wildcard.example", ""),
        ("db.example", "_wildcard.example", ""),
    ]:
        found = said(made({"routes/db": f"sni {name} -> db passthrough", f"tls/{host}": POLICY}))
        if not why:
            assert found == [], name
            continue
        of_route = (
            f"TLS for {name} ends at the edge by mesh/tls/{host}, which {why}: "
            "nothing of it is passed on by this route; one of the two is to go"
        )
        of_host = f"mesh/routes/db is to pass TLS for {name} on, and gets none of it: it ends at the edge by this key"
        assert found == [("mesh/routes/db", of_route), (f"mesh/tls/{host}", of_host)]


def test_a_host_that_asks_clients_for_certificates_goes_before_any_route() -> None:
    for name in ("db.example", "*.db.example"):
        found = said(
            made({"routes/db": f"sni {name} -> db passthrough", "tls/_wildcard.example": CLIENTS})
        )
        assert [key for key, _ in found] == ["mesh/routes/db", "mesh/tls/_wildcard.example"]
        assert "asks clients for certificates" in found[0][1]
    bad = said(made({"routes/db": "sni db.example -> db passthrough", "tls/db.example": "{"}))
    assert any("may ask clients for certificates" in message for _, message in bad)


def test_a_certificate_in_a_file_is_a_conflict_too() -> None:
    facts = replace(EDGE, file_hosts=frozenset({"db.example"}))
    found = said(made({"routes/db": "sni db.example -> db passthrough"}, facts))
    assert [key for key, _ in found] == ["mesh/routes/db"]
    assert "edge.certificates_folder" in found[0][1]


def test_an_edge_without_tls_says_that_it_takes_none() -> None:
    values = {"routes/db": "sni db.example -> db passthrough"}
    assert "takes no TLS" in said(made(values, FACTS))[0][1]
    assert said(made(values, replace(FACTS, edge_address=None))) == []


def test_what_changes_is_judged_anew() -> None:
    compiler = Compiler()

    def told(values: dict[str, str]) -> list[str]:
        return [key for key, _ in said(compiler.compile(state({**values}, DB, WEB), EDGE))]

    one = {"routes/a": "sni db.example -> db passthrough"}
    assert told(one) == []
    two = {**one, "routes/b": "sni db.example -> web passthrough"}
    assert told(two) == ["mesh/routes/b"]
    assert told({**two, "tls/db.example": POLICY}) == [
        "mesh/routes/a", "mesh/routes/b", "mesh/routes/b",
        "mesh/tls/db.example", "mesh/tls/db.example",
    ]  # fmt: skip
    assert told({"routes/b": two["routes/b"]}) == []
    assert told({}) == []


def test_a_route_of_names_keeps_its_last_form() -> None:
    compiler = Compiler()
    compiler.compile(state({"routes/db": "sni db.example -> db passthrough"}, DB, WEB), EDGE)
    compiled = compiler.compile(state({"routes/db": "sni db.example -> db pasthrough"}, DB), EDGE)
    assert compiled.resources["routes"]["db"]["sni"] == ["db.example"]
    assert compiled.problems[0].suggestion == "passthrough"
