"""The bodies of `/v1/catalog/register` and `deregister`, and what they do to the catalog. Knows no HTTP."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Self

from . import check_entries, entries, node_entries, service_entries
from .body import Fields, parse_json
from .check_form import check_document
from .errors import Refused, bad_request
from .service_form import (
    SERVICE_FIELDS,
    check_meta,
    is_any_address,
    refuse_unknown,
    service_document,
    texts_by_name,
)
from .shared import DATACENTER
from .store import Writer

_REGISTRATION = frozenset(
    [
        "datacenter",
        "id",
        "node",
        "address",
        "taggedaddresses",
        "nodemeta",
        "service",
        "check",
        "checks",
        "skipnodeupdate",
        "namespace",
        "partition",
        "peername",
        "locality",
        "writerequest",
        "token",
    ]
)
_DEREGISTRATION = frozenset(
    [
        "datacenter",
        "node",
        "serviceid",
        "checkid",
        "namespace",
        "partition",
        "peername",
        "writerequest",
        "token",
    ]
)
_CHECK = frozenset(
    [
        "node",
        "checkid",
        "name",
        "status",
        "notes",
        "output",
        "serviceid",
        "servicename",
        "servicetags",
        "type",
        "interval",
        "timeout",
        "exposedport",
        "definition",
        "namespace",
        "partition",
        "peername",
        "createindex",
        "modifyindex",
    ]
)


@dataclass(frozen=True, slots=True)
class Registration:
    """A node, at most one service of it, and checks: all in the API's form, put at one index or not at all."""

    node: dict[str, Any]
    service: dict[str, Any] | None
    checks: tuple[dict[str, Any], ...]
    is_node_left_alone: bool

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Refused with Consul's words."""
        fields = _fields(body, _REGISTRATION)
        try:
            return cls._of(fields)
        except ValueError as error:
            raise bad_request(f"Request decode failed: {error}") from None

    @classmethod
    def _of(cls, fields: Fields) -> Self:
        is_node_left_alone = fields.flag("SkipNodeUpdate")
        name = fields.text("Node")
        node: dict[str, Any] = {
            "ID": fields.text("ID"),
            "Node": name,
            "Address": fields.text("Address"),
            "Datacenter": fields.text("Datacenter") or DATACENTER,
            "TaggedAddresses": texts_by_name(fields, "TaggedAddresses"),
            "Meta": texts_by_name(fields, "NodeMeta"),
        }
        own = fields.object("Service")
        service = _service(own) if own else None
        listed = [fields.object("Check"), *(fields.objects("Checks") or ())]
        checks = tuple(_check(one, name) for one in listed if one is not None)
        _check_node(node, is_node_left_alone=is_node_left_alone)
        return cls(node, service, checks, is_node_left_alone)

    def apply(self, writer: Writer) -> None:
        there = entries.node(writer, self.node["Node"])
        if there is None or not self.is_node_left_alone:
            node_entries.put(writer, self.node)
        if self.service is not None:
            service_entries.put(writer, self.node["Node"], self.service)
        for check in self.checks:
            if check["Node"].lower() != self.node["Node"].lower():
                raise Refused(
                    500,
                    f"Node '{check['Node']}' for check '{check['CheckID']}' doesn't match register request node"
                    f" '{self.node['Node']}'",
                )
            if check["ServiceID"] and not entries.service(
                writer, check["Node"], check["ServiceID"]
            ):
                raise Refused(
                    500,
                    f"Unknown service ID '{check['ServiceID']}' for check ID '{check['CheckID']}'",
                )
            check_entries.put(writer, check)


@dataclass(frozen=True, slots=True)
class Deregistration:
    """A service, a check, or the whole node where neither is named."""

    node: str
    service_id: str
    check_id: str

    @classmethod
    def of(cls, body: bytes) -> Self:
        fields = _fields(body, _DEREGISTRATION)
        try:
            made = cls(fields.text("Node"), fields.text("ServiceID"), fields.text("CheckID"))
            _check_datacenter(fields.text("Datacenter"))
        except ValueError as error:
            raise bad_request(f"Request decode failed: {error}") from None
        if not made.node:
            raise Refused(500, "Must provide node")
        return made

    def apply(self, writer: Writer) -> None:
        if self.service_id:
            service_entries.delete(writer, self.node, self.service_id)
        elif self.check_id:
            check_entries.delete(writer, self.node, self.check_id)
        else:
            node_entries.delete(writer, self.node)


def _fields(body: bytes, known: frozenset[str]) -> Fields:
    try:
        fields = Fields(parse_json(body), "structs.RegisterRequest")
        refuse_unknown(fields, known)
    except ValueError as error:
        raise bad_request(f"Request decode failed: {error}") from None
    return fields


def _check_node(node: dict[str, Any], *, is_node_left_alone: bool) -> None:
    _check_datacenter(node["Datacenter"])
    if not node["Node"]:
        raise Refused(500, "Must provide node")
    if node["ID"]:
        _check_uuid(node["ID"])
    if not node["Address"] and not is_node_left_alone:
        raise Refused(500, "Must provide address if SkipNodeUpdate is not set")


def _check_datacenter(datacenter: str) -> None:
    if datacenter not in ("", DATACENTER):
        raise Refused(500, "No path to datacenter")


def _check_uuid(text: str) -> None:
    if len(text) != len(str(uuid.NAMESPACE_DNS)):
        raise Refused(500, "Bad node ID: uuid string is wrong length")
    try:
        uuid.UUID(text)
    except ValueError:
        raise Refused(500, "Bad node ID: uuid is improperly formatted") from None


def _service(fields: Fields) -> dict[str, Any]:
    refuse_unknown(fields, SERVICE_FIELDS - {"name"})
    name, service_id = fields.text("Service"), fields.text("ID")
    document = service_document(fields, service_id or name, name, fields.texts("Tags") or [])
    if not name:
        raise Refused(
            500,
            "Must provide service name (Service.Service) when service ID is provided"
            if service_id
            else "service name (Service.Service) is required; both Service ID (Service.ID) and Service Name cannot be empty",
        )
    if is_any_address(document["Address"]):
        raise Refused(500, "Invalid service address")
    if fault := check_meta(document["Meta"]):
        raise Refused(
            500, f"failed inserting service: Invalid Service Meta for service {name}: {fault}"
        )
    return document


def _check(fields: Fields, node: str) -> dict[str, Any]:
    refuse_unknown(fields, _CHECK)
    name = fields.text("Name")
    return {
        **check_document(
            fields.text("Node") or node,
            fields.text("CheckID") or name,
            name,
            status=fields.text("Status"),
            notes=fields.text("Notes"),
            kind=fields.text("Type"),
            interval=fields.text("Interval"),
            timeout=fields.text("Timeout"),
        ),
        "Output": fields.text("Output"),
        "ServiceID": fields.text("ServiceID"),
        "ServiceName": fields.text("ServiceName"),
        "Definition": fields.mapping("Definition") or {},
    }
