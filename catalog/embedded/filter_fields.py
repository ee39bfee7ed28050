"""What may be filtered by, list by list, as Consul's API documents it. Nothing but tables."""

from __future__ import annotations

from collections.abc import Mapping

from .filter import ANY, Field

Fields = Mapping[str, Field]

_TEXT, _NUMBER, _FLAG, _TEXTS = Field("text"), Field("number"), Field("flag"), Field("texts")
_TEXT_MAP = Field("map", {ANY: _TEXT})
_ADDRESSES = Field("map", {ANY: Field("object", {"Address": _TEXT, "Port": _NUMBER})})
_WEIGHTS = Field("object", {"Passing": _NUMBER, "Warning": _NUMBER})
_PROXY = Field(
    "object",
    {
        "DestinationServiceName": _TEXT,
        "DestinationServiceID": _TEXT,
        "LocalServiceAddress": _TEXT,
        "LocalServicePort": _NUMBER,
        "LocalServiceSocketPath": _TEXT,
        "Mode": _TEXT,
        "MeshGateway": Field("object", {"Mode": _TEXT}),
    },
)
_CONNECT = Field("object", {"Native": _FLAG})

NODE: Fields = {
    "ID": _TEXT,
    "Node": _TEXT,
    "Address": _TEXT,
    "Datacenter": _TEXT,
    "TaggedAddresses": _TEXT_MAP,
    "Meta": _TEXT_MAP,
    "PeerName": _TEXT,
}

SERVICE: Fields = {
    "Kind": _TEXT,
    "ID": _TEXT,
    "Service": _TEXT,
    "Tags": _TEXTS,
    "Address": _TEXT,
    "TaggedAddresses": _ADDRESSES,
    "Meta": _TEXT_MAP,
    "Port": _NUMBER,
    "SocketPath": _TEXT,
    "Weights": _WEIGHTS,
    "EnableTagOverride": _FLAG,
    "Proxy": _PROXY,
    "Connect": _CONNECT,
    "PeerName": _TEXT,
}
"""A service of a node, and the agent's own services."""

SERVICE_NODE: Fields = {
    "ID": _TEXT,
    "Node": _TEXT,
    "Address": _TEXT,
    "Datacenter": _TEXT,
    "TaggedAddresses": _TEXT_MAP,
    "NodeMeta": _TEXT_MAP,
    "ServiceKind": _TEXT,
    "ServiceID": _TEXT,
    "ServiceName": _TEXT,
    "ServiceTags": _TEXTS,
    "ServiceAddress": _TEXT,
    "ServiceTaggedAddresses": _ADDRESSES,
    "ServiceMeta": _TEXT_MAP,
    "ServicePort": _NUMBER,
    "ServiceSocketPath": _TEXT,
    "ServiceWeights": _WEIGHTS,
    "ServiceEnableTagOverride": _FLAG,
    "ServiceProxy": _PROXY,
    "ServiceConnect": _CONNECT,
    "PeerName": _TEXT,
}
"""A service with its node, as /v1/catalog/service/ shows it; /v1/catalog/services is filtered by the same."""

CHECK: Fields = {
    "Node": _TEXT,
    "CheckID": _TEXT,
    "Name": _TEXT,
    "Status": _TEXT,
    "Notes": _TEXT,
    "Output": _TEXT,
    "ServiceID": _TEXT,
    "ServiceName": _TEXT,
    "ServiceTags": _TEXTS,
    "Type": _TEXT,
    "Interval": _TEXT,
    "Timeout": _TEXT,
    "ExposedPort": _NUMBER,
    "PeerName": _TEXT,
}

HEALTH: Fields = {
    "Node": Field("object", NODE),
    "Service": Field("object", SERVICE),
    "Checks": Field("objects", CHECK),
}

INTENTION: Fields = {
    "ID": _TEXT,
    "Description": _TEXT,
    "SourceNS": _TEXT,
    "SourceName": _TEXT,
    "DestinationNS": _TEXT,
    "DestinationName": _TEXT,
    "SourcePartition": _TEXT,
    "DestinationPartition": _TEXT,
    "SourcePeer": _TEXT,
    "SourceSamenessGroup": _TEXT,
    "SourceType": _TEXT,
    "Action": _TEXT,
    "Meta": _TEXT_MAP,
    "Precedence": _NUMBER,
}

MEMBER: Fields = {
    "Name": _TEXT,
    "Addr": _TEXT,
    "Port": _NUMBER,
    "Tags": _TEXT_MAP,
    "Status": _NUMBER,
    "ProtocolMin": _NUMBER,
    "ProtocolMax": _NUMBER,
    "ProtocolCur": _NUMBER,
    "DelegateMin": _NUMBER,
    "DelegateMax": _NUMBER,
    "DelegateCur": _NUMBER,
}
