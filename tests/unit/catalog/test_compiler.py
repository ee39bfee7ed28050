"""The compiler: what comes into force, what goes on, what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog import (
    Compiled,
    Compiler,
    DefaultIntentionUpdate,
    InstancesUpdate,
    KvEntry,
    LocalServicesUpdate,
    Problem,
    ServicesUpdate,
    Snapshot,
    State,
    UnhealthyCheck,
    UnhealthyUpdate,
    compile_snapshot,
    digest_of,
    keys_digest,
)
from tests.support.catalog import FACTS, instance, intention, keys, kv, state

CART = instance("cart", "node-2")
WEB = instance("web")


def said(compiled: Compiled) -> list[tuple[str, str]]:
    return [
        (problem.key.removeprefix("mesh/routes/"), problem.message) for problem in compiled.problems
    ]


def routes(compiled: Compiled) -> dict[str, int]:
    return {name: route["index"] for name, route in compiled.resources["routes"].items()}


def test_a_mesh_compiles_into_all_collections() -> None:
    made = compile_snapshot(
        state({"routes/shop": "shop.example/cart -> cart"}, CART, WEB, intentions=(intention("web", any="allow"),)),
        FACTS,
    )  # fmt: skip
    assert {name: sorted(members) for name, members in made.resources.items()} == {
        "clusters": ["cart", "web"],
        "intentions": ["web"],
        "listeners": ["edge", "mesh", "web"],
        "routes": ["shop"],
        "services": ["web"],
        "settings": ["node"],
        "tls": [],
    }
    assert made.resources["settings"]["node"] == {
        "node": "node-1",
        "datacenter": "dc1",
        "trust_domain": "1f0c.consul",
        "intention_default": "allow",
        "trace_ratio": 1.0,
        "trusted_proxies": [],
        "limits": {},
    }
    assert made.problems == ()
    assert made.digest == digest_of(made.resources)
    assert made.index == 100
    assert made.keys_digest == keys_digest(keys({"routes/shop": "shop.example/cart -> cart"}))
    assert made.named_services == {"cart", "web"}
    assert made.local_services == ("web",)
    assert made.clear_endpoints == ()
    assert made.pending == ()
    assert made.held_back is None


def test_an_empty_state_compiles() -> None:
    made = compile_snapshot(State(), replace(FACTS, trust_domain=None))
    assert made.resources["listeners"] == {}
    assert made.resources["settings"]["node"]["trust_domain"] == "unknown.invalid"
    assert made.resources["settings"]["node"]["intention_default"] == "deny"
    assert made.index == 0


def test_a_bad_key_keeps_its_last_good_form_and_hurts_no_other() -> None:
    compiler = Compiler()
    good: dict[str, str | bytes] = {"routes/a": "a/ -> cart", "routes/b": "b/ -> cart"}
    compiler.compile(state(good, CART), FACTS)
    bad = state({"routes/a": "a/ -> cart tiemout=2s", "routes/b": "b/x -> cart"}, CART)
    bad = bad.apply(kv({}, 999))  # older: kept aside, changes nothing
    entries = tuple(
        replace(entry, modify_index=entry.modify_index + 50) for entry in bad.keys.entries
    )
    made = compiler.compile(
        replace(bad, keys=replace(bad.keys, entries=entries, aside=None)), FACTS
    )
    assert routes(made) == {"a": 100, "b": 151}
    (problem,) = made.problems
    assert (problem.key, problem.index, problem.serving_index) == ("mesh/routes/a", 150, 100)
    assert made.index == 151


def test_a_bad_key_that_was_never_good_is_not_in_force() -> None:
    made = compile_snapshot(state({"routes/a": "a/ cart", "routes/b": "b/ -> cart"}, CART), FACTS)
    assert routes(made) == {"b": 101}
    assert made.problems[0].serving_index is None


def test_a_deleted_key_takes_its_last_good_form_along() -> None:
    compiler = Compiler()
    compiler.compile(state({"routes/a": "a/ -> cart", "routes/b": "b/ -> cart"}, CART), FACTS)
    made = compiler.compile(state({"routes/b": "b/ -> cart"}, CART), FACTS)
    assert routes(made) == {"b": 100}
    made = compiler.compile(state({"routes/a": "a/ cart", "routes/b": "b/ -> cart"}, CART), FACTS)
    assert routes(made) == {"b": 101}


def test_last_good_forms_come_from_the_saved_snapshot() -> None:
    before = compile_snapshot(state({"routes/a": "a/ -> cart"}, CART), FACTS)
    saved = Snapshot(3, before.digest, before.resources)
    made = Compiler(saved).compile(state({"routes/a": "a/ cart"}, CART), FACTS)
    assert routes(made) == {"a": 100}
    assert made.problems[0].serving_index == 100
    assert made.index == 100


def test_only_changed_keys_are_read_again() -> None:
    compiler = Compiler()
    values: dict[str, str | bytes] = {f"routes/r{n}": f"r{n}/ -> cart" for n in range(50)}
    values["routes/bad"] = "bad"
    first = compiler.compile(state(values, CART), FACTS)
    second = compiler.compile(state({**values, "routes/r7": "r7/x -> cart"}, CART), FACTS)
    before, after = first.last_good.forms, second.last_good.forms
    assert [key for key in after if after[key] is not before[key]] == ["mesh/routes/r7"]
    assert second.problems[0] is first.problems[0]


def test_the_same_index_with_another_value_is_read_again() -> None:
    compiler = Compiler()
    compiler.compile(state({"routes/a": "a/ -> cart"}, CART), FACTS)
    made = compiler.compile(state({"routes/a": "b/ -> cart"}, CART), FACTS)
    assert made.resources["routes"]["a"]["hosts"] == ["b"]


def test_what_did_not_change_stays_the_same_object() -> None:
    compiler = Compiler()
    values: dict[str, str | bytes] = {"routes/a": "a/ -> cart", "routes/b": "b/ -> cart"}
    first = compiler.compile(state(values, CART, WEB), FACTS)
    second = compiler.compile(state({**values, "routes/b": "b/x -> cart"}, CART, WEB), FACTS)
    for collection in ("clusters", "intentions", "listeners", "services", "settings"):
        assert second.resources[collection] is first.resources[collection]
    assert second.resources["routes"]["a"] is first.resources["routes"]["a"]


def test_a_route_to_a_service_that_was_not_looked_at_waits() -> None:
    compiler = Compiler()
    before = state({"routes/a": "a/ -> cart"}, CART)
    first = compiler.compile(before, FACTS)
    moved = before.apply(kv({"routes/a": "a/ -> cart-next"}, 1001))
    moved = replace(
        moved, keys=replace(moved.keys, entries=(replace(moved.keys.entries[0], modify_index=200),))
    )
    waiting = compiler.compile(moved, FACTS)
    assert waiting.pending == ("mesh/routes/a",)
    assert waiting.named_services == {"cart", "cart-next"}
    assert waiting.digest == first.digest
    assert (waiting.index, waiting.keys_digest) == (100, first.keys_digest)
    assert waiting.problems == ()
    swept = moved.apply(InstancesUpdate("cart-next", (instance("cart-next", "node-3"),), 20))
    done = compiler.compile(swept, FACTS)
    assert done.pending == ()
    assert routes(done) == {"a": 200}
    assert done.index == 200
    assert done.named_services == {"cart-next"}
    assert done.problems == ()


def test_a_restarted_agent_keeps_the_saved_clusters_until_it_looked() -> None:
    before = compile_snapshot(state({"routes/a": "a/ -> cart"}, CART), FACTS)
    compiler = Compiler(Snapshot(3, before.digest, before.resources))
    known = state({"routes/a": "a/ -> cart"}, CART)
    unswept = replace(known, sweeps={}, instances={})
    made = compiler.compile(unswept, FACTS)
    assert made.digest == before.digest
    assert made.pending == ("mesh/routes/a",)
    assert compiler.compile(known, FACTS).pending == ()


def test_every_route_in_force_has_its_clusters() -> None:
    saved = Snapshot(1, "", {"routes": {"a": {
        "key": "mesh/routes/a", "index": 5, "hosts": ["a"], "path": {"prefix": "/"},
        "action": {"split": [{"cluster": "gone", "weight": 1}]}}}})  # fmt: skip
    made = Compiler(saved).compile(state({"routes/a": "no route"}), FACTS)
    assert routes(made) == {"a": 5}
    assert made.resources["clusters"]["gone"]["exists"] is False


@pytest.mark.parametrize(
    ("values", "absent", "messages"),
    [
        (
            {"routes/shop": "shop.example/cart -> crat"},
            ("crat",),
            [("shop", (
                'no service is called "crat": requests to shop.example/cart now get 503 no_such_service; '
                'did you mean "cart" (1 healthy)?'))],
        ),
        (
            {"routes/shop": "a/ -> cart 90%, xyz 10%"},
            ("xyz",),
            [("shop", 'no service is called "xyz": 10% of the requests to a/ now get 503 no_such_service')],
        ),
        (
            {"routes/a": "a/ -> cart", "routes/b": "a -> cart"},
            (),
            [("b", (
                "this route never matches: mesh/routes/a has the same host and path, "
                "and it is older (index 100 before 101)"))],
        ),
        (
            {"routes/b": "a/x -> cart", "routes/a": "a/x/ -> cart"},
            (),
            [("a", (
                "this route never matches: mesh/routes/b has the same host and path, "
                "and it is older (index 100 before 101)"))],
        ),
        ({"routes/a": "a/x -> cart", "routes/b": "a=/x -> cart"}, (), []),
        ({"routes/a/b": "a/ -> cart", "routes/": "", "routes/a/": ""}, (), []),
        (
            {"rotes/x": "a/ -> cart"},
            (),
            [("mesh/rotes/x", 'no one reads the key "mesh/rotes/x"; did you mean "mesh/routes/x"?')],
        ),
        (
            {"middlewares/x": "x"},
            (),
            [("mesh/middlewares/x", "mesh/middlewares/ is not read by this version yet; the key changes nothing")],
        ),
    ],
)  # fmt: skip
def test_what_is_worth_knowing_is_said(
    values: dict[str, str | bytes], absent: tuple[str, ...], messages: list[tuple[str, str]]
) -> None:
    assert said(compile_snapshot(state(values, CART, absent=absent), FACTS)) == messages


def test_the_oldest_of_three_equal_routes_wins() -> None:
    values: dict[str, str | bytes] = {f"routes/{name}": "a/ -> cart" for name in ("z", "y", "x")}
    made = compile_snapshot(state(values, CART), FACTS)
    assert [(key, message.split()[4]) for key, message in said(made)] == [
        ("x", "mesh/routes/z"),
        ("y", "mesh/routes/z"),
    ]
    same = tuple(KvEntry(f"mesh/routes/{name}", b"a/ -> cart", 7) for name in ("x", "y"))
    made_state = state({}, CART)
    made = compile_snapshot(replace(made_state, keys=replace(made_state.keys, entries=same)), FACTS)
    assert said(made)[0][1].endswith("and its name comes first")


def test_a_route_to_a_service_without_a_healthy_instance_says_so() -> None:
    two = state({"routes/a": "a/ -> cart"}, CART, instance("cart", "node-3"))
    sick = two.apply(
        UnhealthyUpdate(
            tuple(
                UnhealthyCheck(node, "c", "http", f"cart-{node[-1]}", "cart", "critical", "")
                for node in ("node-2", "node-3")
            ),
            99,
        )
    )
    assert compile_snapshot(two, FACTS).problems == ()
    made = compile_snapshot(sick, FACTS)
    assert made.resources["clusters"]["cart"]["endpoints"] == []
    assert said(made) == [
        (
            "a",
            (
                'service "cart" has 2 instances, none passes its checks: '
                "requests to a/ now get 503 no_healthy_endpoint"
            ),
        )
    ]


def test_an_edge_knows_only_what_its_routes_need() -> None:
    everything = [instance(name, "node-2") for name in ("cart", "shop", "stock")]
    made = compile_snapshot(state({"routes/a": "a/ -> cart"}, *everything), FACTS)
    assert made.named_services == {"cart"}


def test_a_node_with_services_knows_all_it_may_call() -> None:
    everything = [instance(name, "node-2") for name in ("cart", "shop", "stock")]
    made = compile_snapshot(state({}, WEB, *everything), FACTS)
    assert made.named_services == {"web", "cart", "shop", "stock"}


def test_a_large_catalog_is_known_as_far_as_intentions_name_it() -> None:
    small = state(
        {"routes/a": "a/ -> cart"}, WEB, CART, intentions=(intention("stock", web="allow"),)
    )
    large = small.apply(ServicesUpdate(tuple((f"s{n:03}", ()) for n in range(501)), 20))
    made = compile_snapshot(large, FACTS)
    assert made.named_services == {"web", "cart", "stock"}
    assert [problem.key for problem in made.problems] == ["services"]


def test_intentions_are_those_of_local_and_clear_destinations() -> None:
    made = compile_snapshot(
        state(
            {"routes/a": "a/ -> cart"},
            WEB,
            CART,
            instance("legacy", "old-box"),
            intentions=(intention("*", any="deny"), intention("cart", any="allow")),
        ),
        FACTS,
    )
    assert sorted(made.resources["intentions"]) == ["legacy", "web"]
    assert made.clear_endpoints == (("legacy", "legacy-x", "10.0.0.44:9000", "old-box"),)


def test_a_held_prefix_stays_in_force_and_is_said() -> None:
    before = state({"routes/a": "a/ -> cart", "routes/b": "b/ -> cart"}, CART)
    compiler = Compiler()
    first = compiler.compile(before, FACTS)
    made = compiler.compile(before.apply(kv({}, 1001)), FACTS)
    assert made.digest == first.digest
    assert (made.index, made.keys_digest) == (first.index, first.keys_digest)
    assert made.held_back is not None
    assert [problem.key for problem in made.problems] == ["mesh/"]


def test_the_index_is_never_lowered_but_a_deletion_changes_the_digest() -> None:
    compiler = Compiler()
    first = compiler.compile(
        state({"routes/a": "a/ -> cart", "routes/b": "b/ -> cart"}, CART), FACTS
    )
    made = compiler.compile(state({"routes/a": "a/ -> cart"}, CART), FACTS)
    assert (first.index, made.index) == (101, 101)
    assert made.keys_digest != first.keys_digest


def test_the_default_is_the_own_setting_else_consul_s() -> None:
    base = state({}).apply(
        DefaultIntentionUpdate("deny", "x", "Consul says one thing and does another")
    )
    made = compile_snapshot(base, FACTS)
    assert made.resources["settings"]["node"]["intention_default"] == "deny"
    assert [problem.key for problem in made.problems] == ["intentions"]
    made = compile_snapshot(base, replace(FACTS, intention_default="allow"))
    assert made.resources["settings"]["node"]["intention_default"] == "allow"
    assert made.problems == ()


def test_services_under_one_user_are_a_problem_only_where_users_prove() -> None:
    both = (WEB, instance("shop", meta={"mesh-user": "33"}))
    base = state({}, replace(both[0], meta=(("mesh-user", "www-data"),)), both[1])
    assert len(compile_snapshot(base, FACTS).problems) == 1
    assert compile_snapshot(base, replace(FACTS, callers="port")).problems == ()


def test_errors_come_before_warnings() -> None:
    values: dict[str, str | bytes] = {"routes/a": "a/ -> crat", "routes/b": "b"}
    made = compile_snapshot(state(values, CART, absent=("crat",)), FACTS)
    assert [problem.severity for problem in made.problems] == ["error", "warning"]
    assert all(isinstance(problem, Problem) for problem in made.problems)


def test_a_local_service_that_leaves_takes_its_listener_along() -> None:
    compiler = Compiler()
    here = state({}, WEB)
    assert "web" in compiler.compile(here, FACTS).resources["listeners"]
    gone = compiler.compile(here.apply(LocalServicesUpdate(())), FACTS)
    assert sorted(gone.resources["listeners"]) == ["edge", "mesh"]
    assert gone.resources["services"] == {}
