"""What the registry says of itself: who leads, what an agent is, which members and datacenters there are."""

from __future__ import annotations

from typing import Any

import orjson

from .answer import Answer
from .blocking import questioned
from .call import Call, Route
from .filter_fields import MEMBER
from .lists import agent_filter_of
from .shared import DATACENTER, VERSION
from .store import Reader

SERF_PORT, SERVER_PORT = 8301, 8300
"""Where a Consul would gossip and be spoken to by other servers: nobody listens there."""
BUILD = {"SHA": "", "BuildDate": "1970-01-01T00:00:01Z", "HumanVersion": VERSION, "FIPS": ""}
_ALIVE = 1
# What serf says of a member; the command line shows `vsn` as the protocol.
_PROTOCOLS = {
    "ProtocolMin": 1,
    "ProtocolMax": 5,
    "ProtocolCur": 2,
    "DelegateMin": 2,
    "DelegateMax": 5,
    "DelegateCur": 4,
}


async def leader(call: Call) -> Answer:
    return Answer(_server(call))


async def peers(call: Call) -> Answer:
    return Answer([_server(call)])


async def datacenters(_call: Call) -> Answer:
    return Answer([DATACENTER])


async def version(_call: Call) -> Answer:
    return Answer(BUILD)


async def members(call: Call) -> Answer:
    wanted = agent_filter_of(call, MEMBER)
    if call.query.get("wan"):
        return Answer(None)  # as a Consul that is joined to no other datacenter
    found = [_member(node, is_server=n == 0) for n, node in enumerate(_nodes(call))]
    return Answer([member for member in found if wanted.keeps(member)])


async def itself(call: Call) -> Answer:
    """The agent of the listener's node; DebugConfig has what clients of ours and the CLI look up there."""
    known = _nodes(call)
    own = next(
        (node for node in known if node["Node"] == call.node), {"Node": call.node, "Address": ""}
    )
    is_server = bool(known) and known[0]["Node"] == call.node
    config = {
        "Datacenter": DATACENTER,
        "PrimaryDatacenter": DATACENTER,
        "NodeName": call.node,
        "NodeID": own.get("ID", ""),
        "Revision": "",
        "Server": is_server,
        "Version": VERSION,
        "BuildDate": BUILD["BuildDate"],
        "BindAddr": own["Address"],
    }
    return Answer(
        {
            "Config": config,
            "DebugConfig": {"DefaultIntentionPolicy": "", "ACLsEnabled": False},
            "Coord": {"Vec": [0] * 8, "Error": 1.5, "Adjustment": 0, "Height": 1e-05},
            "Member": _member(own, is_server=is_server),
            "Stats": _stats(call, is_server=is_server),
            "Meta": own.get("Meta") or {},
        }
    )


def _nodes(call: Call) -> list[dict[str, Any]]:
    """Those with an agent of their own, in the order they came; the first is the server."""

    def read(reader: Reader) -> list[dict[str, Any]]:
        rows = reader.rows(
            "SELECT document FROM nodes WHERE name IN (SELECT node FROM checks WHERE id = 'serfHealth')"
            " ORDER BY create_index, name"
        )
        return [orjson.loads(row["document"]) for row in rows]

    return call.store.read(read)


def _server(call: Call) -> str:
    known = _nodes(call)
    address = known[0]["Address"] if known else "127.0.0.1"
    return f"[{address}]:{SERVER_PORT}" if ":" in address else f"{address}:{SERVER_PORT}"


def _member(node: dict[str, Any], *, is_server: bool) -> dict[str, Any]:
    common = {
        "acls": "0",
        "build": f"{VERSION}:",
        "dc": DATACENTER,
        "id": node.get("ID", ""),
        "segment": "",
        "vsn": "2",
        "vsn_max": "3",
        "vsn_min": "2",
    }
    role = (
        {"role": "consul", "bootstrap": "1", "port": str(SERVER_PORT), "raft_vsn": "3"}
        if is_server
        else {"role": "node"}
    )
    return {
        "Name": node["Node"],
        "Addr": node["Address"],
        "Port": SERF_PORT,
        "Tags": {**common, **role},
        "Status": _ALIVE,
        **_PROTOCOLS,
    }


def _stats(call: Call, *, is_server: bool) -> dict[str, dict[str, str]]:
    """What `consul info` prints. The registry says here what it is."""
    index = call.store.read(lambda reader: reader.index_of("last"))
    return {
        "build": {"prerelease": "", "revision": "", "version": VERSION, "version_metadata": ""},
        "consul": {
            "acl": "disabled",
            "known_datacenters": "1",
            "leader": "true" if is_server else "false",
            "leader_addr": _server(call),
            "server": "true" if is_server else "false",
        },
        "registry": {"kind": "meshnode's embedded registry", "last_index": str(index)},
    }


ROUTES = (
    Route("/v1/status/leader", {"GET": questioned(leader)}),
    Route("/v1/status/peers", {"GET": questioned(peers)}),
    Route("/v1/catalog/datacenters", {"GET": datacenters}),
    Route("/v1/agent/version", {"GET": version}),
    Route("/v1/agent/members", {"GET": members}),
    Route("/v1/agent/self", {"GET": itself}),
)
