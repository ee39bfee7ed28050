"""Keys without a Consul: what they name counts as there and well, so that only what they say can be wrong."""

from hypothesis import given
from hypothesis import strategies as st

from catalog import Compiled, compile_snapshot, entered_intentions, state_alone

LINES = (
    "a/ -> cart", "a/x -> edge", "*.b/ -> shop[tag=v2,meta.x=1] 50%, cart 50%", "timeout: 2s", "port: 15005",
    "as web GET cart.mesh/ -> cart[tag=v3]", "GET a/ -> 404", "cart-1 on node-1", "*.mesh/ -> *", "a/ -> meshnode",
    '{"host": "a.mesh", "service": "cart[meta.a=\\"x y\\"]"}',
)  # fmt: skip
KEYS = (
    "routes/a", "routes/b", "services/cart", "services/meshnode", "upstreams/web", "tests/t", "drain/d", "settings",
    "confirm", "rotes/x",
)  # fmt: skip
keys = st.dictionaries(
    st.one_of(st.sampled_from(KEYS), st.text()).map("mesh/".__add__),
    st.one_of(st.sampled_from(LINES).map(str.encode), st.text().map(str.encode), st.binary()),
)


@given(keys)
def test_whatever_stands_in_files_is_compiled(values: dict[str, bytes]) -> None:
    """And nothing waits: each route in force leads to a cluster that has an instance."""
    alone = state_alone(values)
    found = compile_snapshot(alone.state, alone.facts)
    clusters = found.resources["clusters"]
    assert found.pending == ()
    for route in found.resources["routes"].values():
        for part in route["action"].get("split", ()):
            assert clusters[part["cluster"]]["endpoints"]


def compiled(keys: dict[str, str]) -> Compiled:
    alone = state_alone({key: value.encode() for key, value in keys.items()})
    return compile_snapshot(alone.state, alone.facts)


def test_what_keys_name_is_there_and_well() -> None:
    found = compiled(
        {
            "mesh/routes/cart": "shop.example/ -> cart[tag=v2] 90%, cart[meta.zone=b,tag=v3] 10%",
            "mesh/services/stock": "timeout: 2s",
            "mesh/upstreams/web": "port: 15005",
            "mesh/tests/t": "as web stock.mesh/ -> stock",
        }
    )
    assert found.problems == ()
    clusters = found.resources["clusters"]
    assert {"cart[tag=v2]", "cart", "stock", "web"} <= clusters.keys()
    assert all(one["endpoints"] for one in clusters.values())
    assert found.pending == ()


def test_a_mistake_is_the_same_as_with_a_consul() -> None:
    (problem,) = compiled({"mesh/routes/cart": "shop.example/ -> cart timout=2s"}).problems
    assert (problem.line, problem.column, problem.suggestion) == (1, 23, "timeout")


def test_routes_of_which_one_never_matches_are_told() -> None:
    (problem,) = compiled(
        {"mesh/routes/a": "a.example/ -> a", "mesh/routes/b": "a.example/ -> b"}
    ).problems
    assert (problem.key, problem.severity) == ("mesh/routes/b", "warning")


def test_intentions_are_those_of_config_entries() -> None:
    sources = [{"Name": "web", "Action": "deny"}, {"Name": "*", "Action": "allow"}]
    entry = {"Kind": "service-intentions", "Name": "cart", "Sources": sources}
    alone = state_alone({}, entered_intentions([entry]))
    rules = compile_snapshot(alone.state, alone.facts).resources["intentions"]["cart"]["rules"]
    assert [(one["source"], one["action"]) for one in rules] == [("web", "deny"), ("*", "allow")]
    assert alone.services == ("cart",)
