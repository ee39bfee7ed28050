"""What the reads of the catalog have in common: the filter, the node's metadata, the forms they show. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .answer import Answer
from .call import Call
from .entries import Entry
from .errors import Refused
from .filter import Filter, FilterError
from .filter_fields import Fields
from .scope import read_refused


def chosen(call: Call, fields: Fields, found: Sequence[Entry]) -> list[Entry]:
    """What `?filter` keeps. Refused with Consul's words for one that can not be used."""
    wanted = filter_of(call, fields)
    return [item for item in found if wanted.keeps(item)]


def filter_of(call: Call, fields: Fields) -> Filter:
    """Of a read of a server."""
    try:
        return Filter.of(call.query.get("filter"), fields)
    except FilterError as error:
        raise read_refused(call.method, call.path, str(error)) from None


def agent_filter_of(call: Call, fields: Fields) -> Filter:
    """Of a read of an agent, which has no index."""
    try:
        return Filter.of(call.query.get("filter"), fields)
    except FilterError as error:
        raise Refused(500, str(error)) from None


def has_node_meta(call: Call, node: Mapping[str, Any] | None) -> bool:
    """Whether the node has all of `?node-meta=name:value`."""
    meta = (node or {}).get("Meta") or {}
    wanted = (one.partition(":") for one in call.query.all("node-meta"))
    return all(meta.get(name) == value for name, _, value in wanted)


def has_tags(call: Call, tags: Sequence[str]) -> bool:
    """Whether it has all of `?tag`, whatever the case."""
    there = {tag.lower() for tag in tags}
    return all(tag.lower() in there for tag in call.query.all("tag"))


def service_node(node: Mapping[str, Any], service: Mapping[str, Any]) -> Entry:
    """A service with its node in one, as `/v1/catalog/service/` shows it."""
    addresses = service.get("TaggedAddresses")
    return {
        "ID": node["ID"],
        "Node": node["Node"],
        "Address": node["Address"],
        "Datacenter": node["Datacenter"],
        "TaggedAddresses": node["TaggedAddresses"],
        "NodeMeta": node["Meta"],
        "ServiceKind": "",
        "ServiceID": service["ID"],
        "ServiceName": service["Service"],
        "ServiceTags": service["Tags"],
        "ServiceAddress": service["Address"],
        **({"ServiceTaggedAddresses": addresses} if addresses else {}),
        "ServiceWeights": service["Weights"],
        "ServiceMeta": service["Meta"] or {},
        "ServicePort": service.get("Port", 0),
        "ServicePorts": None,
        "ServiceSocketPath": service.get("SocketPath", ""),
        "ServiceEnableTagOverride": service["EnableTagOverride"],
        "ServiceProxy": service["Proxy"],
        "ServiceConnect": service["Connect"],
        "ServiceLocality": None,
        "CreateIndex": service["CreateIndex"],
        "ModifyIndex": service["ModifyIndex"],
    }


DONE = Answer(True)  # noqa: FBT003  (the JSON document)
"""What Consul answers to a change of the catalog."""
