"""A service as it is registered, by an agent or in the catalog: read from a body, checked, brought into the API's form. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any

from .body import Fields
from .errors import Refused, bad_request

SERVICE_FIELDS = frozenset(
    [
        "kind",
        "id",
        "service",
        "name",
        "tags",
        "address",
        "taggedaddresses",
        "meta",
        "port",
        "socketpath",
        "weights",
        "enabletagoverride",
        "proxy",
        "connect",
        "locality",
        "ports",
        "namespace",
        "partition",
        "peername",
        "createindex",
        "modifyindex",
        "datacenter",
        "contenthash",
    ]
)
# Consul's own limits of metadata.
MOST_META = 64
META_NAME_CHARACTERS = 128
META_VALUE_CHARACTERS = 512
_META_NAME = re.compile(r"[A-Za-z0-9_-]+")
_META_PREFIX = "consul-"


def refuse_unknown(fields: Fields, known: Collection[str]) -> None:
    """ValueError for a field Consul does not have. `known` are lower case."""
    for name in fields.original:
        if name.casefold() not in known:
            raise ValueError(f'json: unknown field "{name}"')


def service_document(fields: Fields, service_id: str, name: str, tags: list[str]) -> dict[str, Any]:
    """The API's form without indexes. ValueError with Go's words for a value of the wrong kind."""
    _refuse_proxies(fields)
    addresses = {
        place: {"Address": where.text("Address"), "Port": where.number("Port")}
        for place, where in _address_fields(fields)
    }
    port, path = fields.number("Port"), fields.text("SocketPath")
    return {
        "ID": service_id,
        "Service": name,
        "Tags": tags,
        "Address": fields.text("Address"),
        **({"TaggedAddresses": addresses} if addresses else {}),
        "Meta": texts_by_name(fields, "Meta"),
        **({"Port": port} if port else {}),
        **({"SocketPath": path} if path else {}),
        "Weights": _weights(fields.object("Weights")),
        "EnableTagOverride": fields.flag("EnableTagOverride"),
        "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}},
        "Connect": {},
        "PeerName": "",
    }


def with_default_addresses(document: dict[str, Any]) -> dict[str, Any]:
    """What an agent adds to a service that has an address of its own."""
    try:
        version = ipaddress.ip_address(document["Address"]).version
    except ValueError:
        return document
    own = {"Address": document["Address"], "Port": document.get("Port", 0)}
    places = {f"{net}_ipv{version}": own for net in ("lan", "wan")}
    return {**document, "TaggedAddresses": {**places, **document.get("TaggedAddresses", {})}}


def check_meta(meta: dict[str, str] | None) -> str | None:
    """What is wrong with metadata, in Consul's words; None for nothing."""
    for number, (name, value) in enumerate((meta or {}).items(), 1):
        if number > MOST_META:
            return f"Node metadata cannot contain more than {MOST_META} key/value pairs"
        if fault := _meta_fault(name, value):
            return f"Couldn't load metadata pair ('{name}', '{value}'): {fault}"
    return None


def is_any_address(address: str) -> bool:
    """0.0.0.0 and [::], at which nobody can be reached."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_unspecified
    except ValueError:
        return False


def texts_by_name(fields: Fields, name: str) -> dict[str, str] | None:
    """A map of texts, None where there is none."""
    found = fields.mapping(name)
    for value in (found or {}).values():
        if not isinstance(value, str):
            Fields({name: value}).text(name)
    return found


def _meta_fault(name: str, value: str) -> str | None:
    if not name:
        return "Key cannot be blank"
    if not _META_NAME.fullmatch(name):
        return "Key contains invalid characters"
    if len(name) > META_NAME_CHARACTERS:
        return f"Key is too long (limit: {META_NAME_CHARACTERS} characters)"
    if name.startswith(_META_PREFIX):
        return f"Key prefix '{_META_PREFIX}' is reserved for internal use"
    if len(value) > META_VALUE_CHARACTERS:
        return f"Value is too long (limit: {META_VALUE_CHARACTERS} characters)"
    return None


def _weights(fields: Fields | None) -> dict[str, int]:
    if fields is None:
        return {"Passing": 1, "Warning": 1}
    passing, warning = fields.number("Passing"), fields.number("Warning")
    if passing < 1:
        raise bad_request("Invalid Weights: Passing must be greater than 0")
    if warning < 0:
        raise bad_request("Invalid Weights: Warning must be greater or equal than 0")
    if max(passing, warning) > 65535:
        raise bad_request("Invalid Weights: DNS Weight must be between 0 and 65535")
    return {"Passing": passing, "Warning": warning}


def _address_fields(fields: Fields) -> list[tuple[str, Fields]]:
    found = fields.mapping("TaggedAddresses") or {}
    return [(place, Fields(where, "ServiceAddress")) for place, where in found.items()]


def _refuse_proxies(fields: Fields) -> None:
    """Consul's own proxies need its certificates, which are not here."""
    connect = fields.object("Connect")
    is_sidecar = connect is not None and ("SidecarService" in connect or connect.flag("Native"))
    if fields.text("Kind") or is_sidecar or "Ports" in fields:
        raise Refused(
            501,
            "services with a Kind, a sidecar or several Ports are not in the embedded registry: register the service "
            "itself, meshnode is its proxy; or use a real Consul (meshnode dev --consul ADDR)",
        )
