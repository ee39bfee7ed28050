"""What policies do to a table: defaults by the nearest, drained endpoints, warnings, ports; and the last good form."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from catalog import Compiled, Compiler, compile_snapshot
from catalog.snapshot import Snapshot
from tests.support.catalog import FACTS, instance, kv, state

CART, WEB = instance("cart", "node-2"), instance("web")
ROUTE = {"routes/a": "a/ -> cart"}


def compiled(values: dict[str, str], *instances: Any) -> Compiled:
    return compile_snapshot(state(dict(values), *(instances or (CART,))), FACTS)


def route(made: Compiled, name: str = "a") -> dict[str, Any]:
    return made.resources["routes"][name]


def test_the_nearest_that_says_it_counts() -> None:
    values = {
        "settings": "timeout: 30s\ntimeout_head: 5s\nretries: 1",
        "services/cart": "timeout: 2s\nretries: 2",
        "routes/a": "a/ -> cart retries=0",
        "routes/b": "b/ -> other timeout=9s",
        "routes/c": "c/ -> redirect 301 /x/",
    }
    made = compiled(values, CART, instance("other", "node-2"))
    assert (route(made)["timeout_ms"], route(made)["head_timeout_ms"]) == (2000, 5000)
    assert route(made)["retries"] == {"attempts": 0}
    assert (route(made, "b")["timeout_ms"], route(made, "b")["retries"]) == (9000, {"attempts": 1})
    assert "timeout_ms" not in route(made, "c")
    assert made.problems == ()


def test_of_a_split_the_first_service_that_says_it_counts() -> None:
    values = {
        "routes/a": "a/ -> new 10%, cart 90%",
        "services/cart": "timeout: 2s\ntimeout_idle: 3s",
        "services/new": "timeout_idle: 4s",
    }
    made = route(compiled(values, CART, instance("new", "node-2")))
    assert (made["timeout_ms"], made["idle_timeout_ms"]) == (2000, 4000)


def test_headers_are_taken_one_by_one() -> None:
    values = {
        "settings": "request_headers: {set: {x-a: mesh, x-b: mesh}, remove: [x-c]}",
        "services/cart": "request_headers: {add: {x-b: cart}, remove: [x-d]}",
        "routes/a": "host: a\nservice: cart\nrequest_headers: {remove: [x-a]}",
    }
    assert route(compiled(values))["request_headers"] == {
        "remove": ["x-a", "x-d", "x-c"],
        "add": [{"name": "x-b", "value": "cart"}],
    }


def test_never_more_headers_than_a_proxy_takes() -> None:
    own = ", ".join(f"x-{number}: a" for number in range(30))
    more = ", ".join(f"y-{number}: a" for number in range(30))
    values = {
        "settings": f"request_headers: {{set: {{{more}}}}}",
        "routes/a": f"{{host: a, service: cart, request_headers: {{set: {{{own}}}}}}}",
    }
    names = [one["name"] for one in route(compiled(values))["request_headers"]["set"]]
    assert len(names) == 32
    assert names[:30] == [f"x-{number}" for number in range(30)]


def test_a_default_that_goes_is_gone_and_nothing_adds_up() -> None:
    compiler = Compiler()
    with_it = state({**ROUTE, "settings": "timeout: 30s"}, CART)
    assert route(compiler.compile(with_it, FACTS))["timeout_ms"] == 30_000
    changed = compiler.compile(
        with_it.apply(kv({**ROUTE, "settings": "timeout: 20s"}, 1001)), FACTS
    )
    assert route(changed)["timeout_ms"] == 30_000 - 10_000
    without = compiler.compile(with_it.apply(kv({**ROUTE}, 1002)), FACTS)
    assert "timeout_ms" not in route(without)


def test_a_bad_policy_keeps_its_last_good_form() -> None:
    compiler = Compiler()
    good = state({**ROUTE, "services/cart": "timeout: 2s"}, CART)
    compiler.compile(good, FACTS)
    bad = good.apply(kv({**ROUTE, "services/cart": "tiemout: 3s"}, 1001))
    bad = bad.apply(kv({"services/cart": "tiemout: 3s", **ROUTE}, 1002))
    made = compiler.compile(bad, FACTS)
    assert route(made)["timeout_ms"] == 2000
    (problem,) = made.problems
    assert (problem.key, problem.serving_index) == ("mesh/services/cart", 101)


def test_settings_reach_the_proxy_and_a_machine_s_own_count_more() -> None:
    values = {"settings": "limits: {headers: 50, head_bytes: 4096}\nstrict_paths: true"}
    facts = replace(FACTS, limits={"headers": 200})
    made = compile_snapshot(state(dict(values)), facts).resources["settings"]["node"]
    assert made["limits"] == {"head_bytes": 4096, "headers": 200}
    assert made["strict_paths"] is True
    assert "trusted_clients" not in made


def test_calls_without_a_route_have_the_policy_of_their_service() -> None:
    values = {**ROUTE, "services/cart": "timeout: 2s"}
    made = compiled(values, CART, WEB)
    assert route(made, "mesh:cart") == {
        "key": "mesh/services/cart",
        "index": 101,
        "hosts": ["cart.mesh"],
        "path": {"prefix": "/"},
        "priority": -10,
        "action": {"split": [{"cluster": "cart", "weight": 1}]},
        "timeout_ms": 2000,
    }
    assert "mesh:web" not in made.resources["routes"]
    assert "mesh:cart" not in compiled(values, CART).resources["routes"], "nothing calls from here"


def test_routes_made_here_are_no_keys_after_a_restart() -> None:
    made = compiled({**ROUTE, "services/cart": "timeout: 2s"}, CART, WEB)
    saved = Snapshot(1, made.digest, made.resources)
    again = Compiler(saved).compile(state({**ROUTE}, CART, WEB), FACTS)
    assert sorted(again.resources["routes"]) == ["a"]


def test_an_instance_that_drains_is_marked_and_told() -> None:
    values = {**ROUTE, "drain/update": "cart-2 on node-2", "drain/none": "cart-9"}
    made = compiled(values, CART, instance("cart", "node-3"))
    endpoints = made.resources["clusters"]["cart"]["endpoints"]
    assert [(one["id"], one.get("draining", False)) for one in endpoints] == [
        ("cart-2", True),
        ("cart-3", False),
    ]
    (told,) = made.drained
    assert (told.key, told.index, told.service, told.id, told.node) == (
        "mesh/drain/update", 101, "cart", "cart-2", "node-2",
    )  # fmt: skip


def test_an_instance_that_fails_its_checks_drains_on() -> None:
    """What runs there still runs, and is counted."""
    failing = instance("cart", "node-2", status="critical")
    made = compiled({**ROUTE, "drain/x": "cart-2"}, failing, instance("cart", "node-3"))
    assert [one["id"] for one in made.resources["clusters"]["cart"]["endpoints"]] == ["cart-3"]
    assert [one.id for one in made.drained] == ["cart-2"]


def test_an_own_instance_that_drains_is_no_choice_for_calls_that_name_none() -> None:
    made = compiled({"drain/x": "web-1"}, WEB)
    (one,) = made.resources["services"]["web"]["instances"]
    assert one["healthy"] is False


def test_a_drain_that_goes_lets_requests_in_again() -> None:
    compiler = Compiler()
    before = state({**ROUTE, "drain/x": "cart-2"}, CART)
    assert compiler.compile(before, FACTS).drained
    made = compiler.compile(before.apply(kv({**ROUTE}, 1001)), FACTS)
    assert made.drained == ()
    assert "draining" not in made.resources["clusters"]["cart"]["endpoints"][0]


def test_a_protocol_stands_in_clusters_subsets_and_local_services() -> None:
    own = (instance("cart"),)
    words = {"http2": "http2", "grpc": "http2", "auto": "auto", "http": None, "tcp": None}
    for word, wanted in words.items():
        values: dict[str, bytes | str] = {
            "routes/a": "a/ -> cart[tag=v2]",
            "routes/b": "b/ -> cart",
            "routes/c": "c/ -> web",
            "services/cart": f"protocol: {word}",
        }
        given = replace(state(values, CART, WEB), local_services=own)
        made = compile_snapshot(given, FACTS).resources
        clusters = made["clusters"]
        assert {clusters[name].get("protocol") for name in ("cart", "cart[tag=v2]")} == {wanted}
        assert made["services"]["cart"].get("protocol") == wanted
        assert "protocol" not in clusters["web"]


def test_that_instances_end_tls_stands_beside_what_they_speak_and_goes_with_its_key() -> None:
    compiler = Compiler()
    route: dict[str, bytes | str] = {"routes/a": "a/ -> cart[tag=v2]", "routes/b": "b/ -> cart"}
    policy: dict[str, bytes | str] = {"services/cart": "protocol: http2\ntls: cart.example"}
    given = replace(state({**route, **policy}, CART), local_services=(instance("cart"),))
    spoken = {"protocol": "http2", "tls": {"server_name": "cart.example"}}
    for values, wanted in (({**route, **policy}, spoken), (route, {})):
        made = compiler.compile(given.apply(kv(values, 1001)), FACTS).resources
        found = [made["clusters"][name] for name in ("cart", "cart[tag=v2]")]
        for one in (*found, made["services"]["cart"]):
            assert {name: one[name] for name in spoken if name in one} == wanted


def test_a_warning_counts_as_usable_unless_a_policy_says_no() -> None:
    warned = instance("cart", "node-2", status="warning", weight_warning=3)
    (endpoint,) = compiled(ROUTE, warned).resources["clusters"]["cart"]["endpoints"]
    assert endpoint["weight"] == 3
    made = compiled({**ROUTE, "services/cart": "warning: out"}, warned)
    assert made.resources["clusters"]["cart"]["endpoints"] == []


def test_upstreams_give_a_port_and_the_registration_is_nearer() -> None:
    values = {"upstreams/web": "port: 15009"}
    made = compiled(values, WEB)
    assert made.resources["listeners"]["web"]["address"] == "127.0.0.1:15009"
    own = instance("web", meta={"mesh-outbound-port": "15010"})
    made = compiled(values, own)
    assert made.resources["listeners"]["web"]["address"] == "127.0.0.1:15010"


def test_a_destination_has_a_port_of_its_own_beside_the_service_s() -> None:
    made = compiled({"upstreams/web": "destinations: {cart: 15006}"}, WEB)
    listeners = made.resources["listeners"]
    assert listeners["web:cart"] == {
        **listeners["web"],
        "address": "127.0.0.1:15006",
        "destination": "cart",
    }
    assert "destination" not in listeners["web"]
    assert "cart" in made.named_services


def test_only_where_the_service_runs_it_has_ports() -> None:
    made = compiled({"upstreams/cart": "destinations: {web: 15006}"}, WEB, CART)
    assert sorted(made.resources["listeners"]) == ["edge", "mesh", "web"]


def test_a_destination_nobody_has_is_told_at_its_key() -> None:
    made = compiled({"upstreams/web": "destinations: {carr: 15006}"}, WEB, CART)
    assert [(one.key, one.severity, one.message) for one in made.problems] == [
        (
            "mesh/upstreams/web",
            "warning",
            'no service is called "carr": calls to port 15006 get 503 no_such_service; did you mean "cart"?',
        )
    ]
    assert "web:carr" in made.resources["listeners"]


def test_limits_of_a_service_hold_for_what_is_sent_and_for_what_comes() -> None:
    limits = {"requests_per_second": 9, "per": "caller"}
    values = {
        **ROUTE,
        "services/cart": "limits: {requests_per_second: 9, per: caller, body_bytes: 5}",
    }
    made = compiled(values, WEB, CART, instance("cart"))
    assert made.resources["clusters"]["cart"]["limits"] == limits
    assert made.resources["services"]["cart"]["limits"] == limits
    assert "limits" not in made.resources["services"]["web"]
    routes = made.resources["routes"]
    assert {name for name, route in routes.items() if route.get("body_bytes") == 5} == set(routes)
    assert all("limits" not in route for route in routes.values())


def test_limits_go_with_their_key() -> None:
    compiler = Compiler()
    before = state({**ROUTE, "services/cart": "limits: {concurrent: 9}"}, CART)
    made = compiler.compile(before, FACTS)
    assert made.resources["clusters"]["cart"]["limits"] == {"concurrent": 9}
    made = compiler.compile(before.apply(kv({**ROUTE}, 1001)), FACTS)
    assert "limits" not in made.resources["clusters"]["cart"]


def test_a_policy_of_a_service_nobody_has_is_told() -> None:
    made = compiled({**ROUTE, "services/carr": "timeout: 2s"})
    assert [(one.key, one.severity, one.message) for one in made.problems] == [
        (
            "mesh/services/carr",
            "warning",
            'no service is called "carr", so this says nothing yet; did you mean "cart"?',
        )
    ]


def test_a_policy_that_changes_compares_no_other_name_with_the_catalog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    def nearest(word: str, _: Collection[str]) -> str:
        compared.append(word)
        return "cart"

    monkeypatch.setattr("catalog.suggestions.nearest", nearest)
    values: dict[str, str | bytes] = {f"services/crat{at:02}": "timeout: 2s" for at in range(30)}
    values["upstreams/cart"] = "destinations: {crat01: 15006}"
    compiler = Compiler()
    for timeout in ("2s", "3s"):
        values["services/crat00"] = f"timeout: {timeout}"
        made = compiler.compile(state(values, CART), FACTS)
        assert compared == [f"crat{at:02}" for at in range(20)]
        assert len(made.problems) == 31
        assert sum(one.suggestion == "cart" for one in made.problems) == 21
