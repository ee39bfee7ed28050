"""Random histories of a mesh: deltas add up, the memo changes nothing, and every compile gives a proxy what it takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from catalog import (
    Compiled,
    Compiler,
    InstancesUpdate,
    IntentionsUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    ServicesUpdate,
    Snapshot,
    State,
    UnhealthyCheck,
    UnhealthyUpdate,
    Update,
    compile_snapshot,
    delta,
    digest_of,
)
from tests.support.catalog import FACTS, instance, intention, kv, mesh_node

SERVICES = ("cart", "shop", "web")
NODES = ("node-1", "node-2", "old-box")

policies = st.sampled_from(
    [
        "timeout: 2s",
        "timeout: 30s\nretries: 2\nrequest_headers: {set: {x-a: b}}",
        "warning: out",
        "limits: {headers: 50}",
        "port: 15002",
        "cart-1",
        "instance: web-2\nnode: node-2",
        "bad: [",
        "",
    ]
)
values = st.sampled_from(
    [
        "a/ -> cart",
        "a/x -> shop timeout=1s",
        "b=/ -> cart 50%, web 50%",
        "* -> gone",
        "bad",
        "",
        "a/ -> redirect 301 /x/",
        "a, *.b/ -> shop priority=2",
        "*/ -> web priority=1",
        "GET a/ -> cart[tag=v2]",
    ]
)
POLICIES = ("services/cart", "services/web", "upstreams/web", "drain/x", "settings", "confirm")
keys = st.builds(
    lambda routes, others: {**routes, **others},
    st.dictionaries(
        st.sampled_from(
            ["routes/r1", "routes/r2", "routes/r3", "routes/r4", "routes/r5", "rotes/x"]
        ),
        values,
    ),
    st.dictionaries(st.sampled_from(POLICIES), policies, max_size=3),
)
found = st.builds(
    instance,
    st.sampled_from(SERVICES),
    st.sampled_from(NODES),
    port=st.sampled_from([0, 80, 15001]),
    address=st.sampled_from(["", "127.0.0.1", "x.internal"]),
    meta=st.dictionaries(
        st.sampled_from(["mesh-outbound-port", "mesh-user", "mesh-local-address"]),
        st.sampled_from(["15001", "8080", "deploy", "10.1.1.1:80"]),
    ),
    weight=st.integers(0, 2),
)
checks = st.builds(
    lambda node, service, status: UnhealthyCheck(
        node, "c", "c", f"{service}-{node[-1]}" if service else "", service, status, ""
    ),
    st.sampled_from(NODES),
    st.sampled_from(["", *SERVICES]),
    st.sampled_from(["warning", "critical", "maintenance"]),
)
indexes = st.integers(1, 50)
updates: st.SearchStrategy[Update] = st.one_of(
    st.builds(kv, keys, indexes),
    st.builds(InstancesUpdate, st.sampled_from([*SERVICES, "gone"]), st.lists(found, max_size=3).map(tuple), indexes),
    st.builds(ServicesUpdate, st.sets(st.sampled_from(SERVICES)).map(lambda s: tuple((n, ()) for n in sorted(s))), indexes),
    st.builds(NodesUpdate, st.sets(st.sampled_from(NODES)).map(lambda s: tuple(mesh_node(n) for n in sorted(s))), indexes),
    st.builds(UnhealthyUpdate, st.lists(checks, max_size=3).map(tuple), indexes),
    st.builds(LocalServicesUpdate, st.lists(found, max_size=3).map(tuple)),
    st.builds(
        lambda d, s, a, i: IntentionsUpdate((intention(d, **{s: a}),), i),
        st.sampled_from(["any", *SERVICES]), st.sampled_from(["any", *SERVICES]),
        st.sampled_from(["allow", "deny", "permissions"]), indexes,
    ),
)  # fmt: skip


def applied(resources: Any, document: bytes) -> Any:
    change = orjson.loads(document)
    result = {name: dict(members) for name, members in resources.items()}
    for collection, members in change["set"].items():
        result[collection].update(members)
    for collection, names in change["remove"].items():
        for name in names:
            del result[collection][name]
    return result


def check_for_a_proxy(compiled: Compiled) -> None:
    """What a proxy refuses a whole snapshot for."""
    resources = compiled.resources
    for route in resources["routes"].values():
        for part in route["action"].get("split", ()):
            assert part["cluster"] in resources["clusters"]
    addresses = [listener["address"] for listener in resources["listeners"].values()]
    assert len(addresses) == len(set(addresses))
    for name, cluster in resources["clusters"].items():
        assert cluster["service"] == name.partition("[")[0]
        assert cluster["exists"] or not cluster["endpoints"]
        for endpoint in cluster["endpoints"]:
            assert (endpoint["via"] == "mesh") == ("mesh_address" in endpoint)
            assert not endpoint["address"].endswith(":0")
    for service in resources["services"].values():
        assert all(one["addresses"] for one in service["instances"])


@settings(max_examples=60, deadline=None)
@given(st.lists(updates, max_size=12))
def test_deltas_add_up_and_the_memo_changes_nothing(history: list[Update]) -> None:
    state, compiler = State(), Compiler()
    before = compiler.compile(state, FACTS)
    last_good, problems = before.last_good, before.problems
    in_force = orjson.loads(orjson.dumps(before.resources))
    first = old = Snapshot(0, before.digest, before.resources)
    for generation, update in enumerate(history, start=1):
        meaning, state = state.meaning, state.apply(update)
        compiled = compiler.compile(state, FACTS)
        if state.meaning == meaning:
            assert not any(compiled.changed.names.values())
            assert (compiled.digest, compiled.problems) == (old.digest, problems)
        problems = compiled.problems
        alone = compile_snapshot(state, FACTS, last_good)
        last_good = alone.last_good
        assert alone.resources == compiled.resources
        assert (alone.digest, alone.problems) == (compiled.digest, compiled.problems)
        assert (alone.index, alone.keys_digest) == (compiled.index, compiled.keys_digest)
        assert (alone.pending, alone.named_services) == (compiled.pending, compiled.named_services)
        assert alone.last_good.forms == compiled.last_good.forms
        assert compiled.digest == digest_of(compiled.resources)
        check_for_a_proxy(compiled)
        new = Snapshot(generation, compiled.digest, compiled.resources, compiled.changed)
        in_force = applied(in_force, delta(old, new))
        # Nobody who lacks a table between, or does not know what changed, gets another document.
        assert delta(first, new) == delta(first, replace(new, changed=None))
        assert delta(old, new) == delta(old, replace(new, changed=None))
        assert digest_of(in_force) == compiled.digest
        old = new


@settings(max_examples=30, deadline=None)
@given(st.lists(updates, max_size=8), st.binary(max_size=60))
def test_a_bad_key_never_touches_another(history: list[Update], garbage: bytes) -> None:
    state = State()
    for update in history:
        state = state.apply(update)
    before = compile_snapshot(state, FACTS)
    entries = {
        entry.key.removeprefix("mesh/"): entry.value
        for entry in state.keys.entries
        if entry.key != "mesh/routes/new"
    }
    worse = state.apply(kv({**entries, "routes/new": b"\x00" + garbage}, 10_000))
    after = compile_snapshot(worse, FACTS)
    assert set(after.resources["routes"]) == set(before.resources["routes"])
    assert after.resources["clusters"] == before.resources["clusters"]
    assert any(problem.key == "mesh/routes/new" for problem in after.problems)


FIELDS = (
    "timeout", "timeout_head", "retries", "request_headers", "protocol", "balance", "warning", "limits", "mtls",
    "trusted_clients", "strict_paths", "port", "ports", "instance", "node", "service", "for", "host", "path", "split",
    "when", "redirect", "answer", "15432", "",
)  # fmt: skip
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.sampled_from(
        ["2s", "cart", "10.0.0.0/8", "in", "out", "http", "strict", "90%", "a", "/", "*"]
    ),
    st.text(max_size=8),
)
parts = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), st.text(max_size=4)), inner, max_size=3),
    ),
    max_leaves=6,
)
documents = st.dictionaries(st.sampled_from(FIELDS), parts, max_size=4).map(orjson.dumps)
lines = st.lists(
    st.sampled_from(["cart-1", "on", "node-2", "for", "5m", "a/", "->", "cart", "of", "=", "x"]),
    max_size=6,
).map(lambda words: " ".join(words).encode())
anything = st.one_of(st.binary(max_size=60), documents, lines, st.text(max_size=40).map(str.encode))
NEW_KEYS = (
    "routes/new", "routes/a/b", "services/shop", "settings", "upstreams/web", "drain/new", "confirm", "middlewares/x",
    "tls/shop", "tests/x", "services/a b", "drain//", "routes/", "settings/x", "nonsense", "\x00", "routes/\u2028",
)  # fmt: skip


def without_key(state: State, key: str) -> dict[str, str | bytes]:
    """What stands under mesh/ but for one key."""
    found = {entry.key.removeprefix("mesh/"): entry.value for entry in state.keys.entries}
    return {name: value for name, value in found.items() if name != key}


def without_closed(compiled: Compiled) -> dict[str, dict[str, Any]]:
    """The resources but for hosts that are closed."""
    return {
        collection: {name: one for name, one in members.items() if "closed" not in one}
        for collection, members in compiled.resources.items()
    }


@settings(max_examples=300, deadline=None)
@given(
    st.lists(updates, max_size=6),
    st.one_of(st.sampled_from(NEW_KEYS), st.text(max_size=12)),
    anything,
)
def test_any_bytes_under_any_key_get_a_verdict_and_touch_no_other(
    history: list[Update], key: str, value: bytes
) -> None:
    state = State()
    for update in history:
        state = state.apply(update)
    # Each key was written by itself, as keys are; then this one is.
    state = state.apply(kv(without_key(state, key), 10_000))
    # Where all keys went at once they are held, this one too: then it would lose what it said, as it should.
    assume(f"mesh/{key}" not in {entry.key for entry in state.keys.entries})
    before = compile_snapshot(state, FACTS)
    changed = state.apply(kv({**without_key(state, key), key: value}, 10_001))
    after = compile_snapshot(changed, FACTS)
    check_for_a_proxy(after)
    index = next(one.modify_index for one in changed.keys.entries if one.key == f"mesh/{key}")
    told = [one for one in after.problems if one.key == f"mesh/{key}" and one.index == index]
    is_folder = key.endswith("/") and not value
    if any(problem.severity == "error" for problem in told) or is_folder or not key:
        # A host whose settings can't be read may be closed for it, and nothing else.
        assert without_closed(after) == without_closed(before)
        return
    # Nobody refuses it, so it is in force, and nodes say that they reached it.
    assert after.pending or after.index == index
    others = {f"mesh/{name}" for name in without_key(state, key)}
    assert {one.key for one in after.problems if one.severity == "error"} & others <= {
        one.key for one in before.problems if one.severity == "error"
    }
    if key.startswith("routes/"):
        name = key.removeprefix("routes/")
        rest = {one: made for one, made in after.resources["routes"].items() if one != name}
        assert rest == before.resources["routes"]
