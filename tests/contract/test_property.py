"""Random operations on the registry and on a real Consul: the same answers, and indexes in the same order."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.operations import Operation, Side, Watchers, first_difference, order_of
from tests.contract.subject import EmbeddedRegistry, RealConsul, Subject

# About a minute.
EXAMPLES = 50
MOST_OPERATIONS = 20

KEYS = ("a", "a/b", "a/c", "ab", "b/c/d")
PREFIXES = ("a", "a/", "b/", "")
NODES = ("ext-1", "ext-2")
SERVICES = ("web", "db")
STATUSES = ("passing", "warning", "critical")

keys = st.sampled_from(KEYS)
prefixes = st.sampled_from(PREFIXES)
values = st.sampled_from(("", "1", "2"))
slots = st.sampled_from((0, 1))
nodes = st.sampled_from(NODES)
services = st.sampled_from(SERVICES)
SPACE = "<space>"


def kv_path(key: str, query: str = "") -> str:
    return f"/v1/kv/{SPACE}{key}{query}"


puts = st.builds(
    lambda key, value, flags: Operation("PUT", kv_path(key, f"?flags={flags}"), value),
    keys,
    values,
    st.sampled_from((0, 1)),
)
cas_puts = st.builds(
    lambda key, value, index: Operation(
        "PUT", kv_path(key, f"?cas={index or f'<i:{key}>'}"), value
    ),
    keys,
    values,
    st.sampled_from(("0", "1", "")),
)
deletes = st.builds(lambda key: Operation("DELETE", kv_path(key)), keys)
cas_deletes = st.builds(
    lambda key, index: Operation("DELETE", kv_path(key, f"?cas={index or f'<i:{key}>'}")),
    keys,
    st.sampled_from(("0", "1", "")),
)
tree_deletes = st.builds(lambda prefix: Operation("DELETE", kv_path(prefix, "?recurse")), prefixes)
locks = st.builds(
    lambda verb, key, slot, value: Operation("PUT", kv_path(key, f"?{verb}=<s{slot}>"), value),
    st.sampled_from(("acquire", "release")),
    keys,
    slots,
    values,
)
session_creates = st.builds(
    lambda slot, behavior, where: Operation(
        "PUT",
        "/v1/session/create",
        {"LockDelay": "0s", "Behavior": behavior, **where},
        slot,
    ),
    slots,
    st.sampled_from(("release", "delete")),
    st.sampled_from(
        (
            {},
            {"Node": "ext-1", "Checks": []},
            {"Node": "ext-1", "NodeChecks": ["alive"]},
        )
    ),
)
session_destroys = st.builds(lambda slot: Operation("PUT", f"/v1/session/destroy/<s{slot}>"), slots)
txn_operations = st.builds(
    lambda verb, key, slot: {
        "KV": {
            "Verb": verb,
            "Key": SPACE + key,
            "Value": "Mw==",
            "Session": f"<s{slot}>" if verb in ("lock", "unlock", "check-session") else "",
        }
    },
    st.sampled_from(
        (
            "set",
            "get",
            "get-tree",
            "delete",
            "delete-tree",
            "cas",
            "delete-cas",
            "lock",
            "unlock",
            "get-or-empty",
            "check-not-exists",
            "check-session",
        )
    ),
    keys,
    slots,
)
txns = st.builds(
    lambda operations: Operation("PUT", "/v1/txn", operations),
    st.lists(txn_operations, min_size=1, max_size=4),
)
registrations = st.builds(
    lambda node, address, more: Operation(
        "PUT", "/v1/catalog/register", {"Node": node, "Address": address, **more}
    ),
    nodes,
    st.sampled_from(("127.0.0.8", "127.0.0.9")),
    st.one_of(
        st.just({}),
        st.builds(
            lambda service, port, tags: {
                "Service": {"Service": service, "Port": port, "Tags": tags}
            },
            services,
            st.sampled_from((80, 81)),
            st.sampled_from(([], ["v1"])),
        ),
        st.builds(
            lambda status: {"Check": {"CheckID": "alive", "Name": "alive", "Status": status}},
            st.sampled_from(STATUSES),
        ),
        st.builds(
            lambda service, status: {
                "Service": {"Service": service, "Port": 80},
                "Check": {
                    "CheckID": f"{service}-check",
                    "Name": "up",
                    "ServiceID": service,
                    "Status": status,
                },
            },
            services,
            st.sampled_from(STATUSES),
        ),
    ),
)
deregistrations = st.builds(
    lambda node, what: Operation("PUT", "/v1/catalog/deregister", {"Node": node, **what}),
    nodes,
    st.sampled_from(({}, {"ServiceID": "web"}, {"CheckID": "alive"}, {"CheckID": "web-check"})),
)
intentions = st.builds(
    lambda method, source, destination, action: Operation(
        method,
        f"/v1/connect/intentions/exact?source={source}&destination={destination}",
        {"Action": action} if method == "PUT" else None,
    ),
    st.sampled_from(("PUT", "DELETE")),
    st.sampled_from(("web", "*")),
    st.sampled_from(("db", "*")),
    st.sampled_from(("allow", "deny")),
)
operations = st.one_of(
    puts,
    cas_puts,
    deletes,
    cas_deletes,
    tree_deletes,
    locks,
    session_creates,
    session_destroys,
    txns,
    registrations,
    deregistrations,
    intentions,
)

QUESTIONS = (
    *(kv_path(key) for key in KEYS),
    *(kv_path(prefix, "?recurse") for prefix in PREFIXES),
    kv_path("a", "?keys&separator=/"),
    "/v1/session/list",
    "/v1/session/node/ext-1",
    "/v1/catalog/services",
    "/v1/catalog/service/web",
    "/v1/catalog/node/ext-1",
    "/v1/health/service/web",
    "/v1/health/service/db?passing",
    "/v1/health/node/ext-1",
    "/v1/health/checks/web",
    "/v1/health/state/any?filter=Status+!=+passing",
    "/v1/config/service-intentions",
)


@dataclass(slots=True)
class Pair:
    registry: Subject
    consul: Subject
    spaces: "itertools.count[int]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    async with EmbeddedRegistry(folder) as registry, RealConsul(folder / "consul") as consul:
        # Their starts wrote otherwise: from here on every table has the same history on both.
        await asyncio.gather(_write_everything(registry), _write_everything(consul))
        yield Pair(registry, consul, itertools.count())


async def _write_everything(subject: Subject) -> None:
    for node, service in itertools.product(NODES, SERVICES):
        body = {
            "Node": node,
            "Address": "127.0.0.9",
            "Service": {"Service": service},
            "Check": {"CheckID": "alive", "Name": "alive", "Status": "passing"},
        }
        await subject.api("PUT", "/v1/catalog/register", body=body)
    await subject.api("PUT", "/v1/session/create", body={"Checks": []})
    await subject.put("first", "1")
    path = "/v1/connect/intentions/exact?source=web&destination=db"
    await subject.api("PUT", path, body={"Action": "deny"})


@pytest.mark.consul
@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=EXAMPLES)
@given(st.lists(operations, min_size=1, max_size=MOST_OPERATIONS))
async def test_both_answer_alike(pair: Pair, wanted: list[Operation]) -> None:
    space = f"p{next(pair.spaces)}/"
    await asyncio.gather(pair.registry.clear(), pair.consul.clear())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        ours = Side(client, pair.registry.http_address())
        theirs = Side(client, pair.consul.http_address())
        watchers = Watchers(client, ours.address)
        asked = [question.replace(SPACE, space) for question in QUESTIONS]
        try:
            for operation in wanted:
                await watchers.watch(asked)
                here = _in_space(operation, space)
                assert await ours.run(here, space) == await theirs.run(here, space), here
                await watchers.check()
                for question in asked:
                    assert await ours.ask(question) == await theirs.ask(question), (here, question)
        finally:
            watchers.close()
        place = first_difference(order_of(ours.indexes), order_of(theirs.indexes))
        assert place is None, (ours.indexes[: place + 1], theirs.indexes[: place + 1])


def _in_space(operation: Operation, space: str) -> Operation:
    """The operation with its keys in the example's own space: an earlier one's indexes are not its."""
    body = operation.body
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    return Operation(
        operation.method,
        operation.path.replace(SPACE, space),
        None if body is None else body.replace(SPACE, space),
        operation.slot,
    )
