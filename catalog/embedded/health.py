"""Health over HTTP: `/v1/health/…`. Reads what checks say; changes nothing."""

from __future__ import annotations

from .blocking import Reading, blocking
from .call import Call, Route
from .entries import (
    CHECK_ROWS,
    Entry,
    checks,
    checks_of,
    checks_of_instance,
    checks_on,
    index_of_service,
    instances,
    node,
    node_checks_topic,
    service_checks_topic,
    service_index,
    service_topic,
    status_topic,
)
from .errors import bad_request
from .filter_fields import CHECK, HEALTH
from .lists import chosen, has_node_meta, has_tags
from .store import Reader

_TRUE = ("", "1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")


def _service(call: Call, reader: Reader) -> Reading:
    """The instances of a service with their nodes and checks; with `?passing` the healthy ones."""
    name, is_passing_only = call.named("service name"), _is_passing_only(call)
    there = instances(reader, name)
    found: list[Entry] = []
    for node_name, service in there:
        owner = node(reader, node_name)
        if not (owner and has_tags(call, service["Tags"]) and has_node_meta(call, owner)):
            continue
        own = checks_of_instance(reader, node_name, service["ID"])
        if not is_passing_only or all(check["Status"] == "passing" for check in own):
            found.append({"Node": owner, "Service": service, "Checks": own})
    index = index_of_service(reader, name, is_there=bool(there), with_checks=True)
    topic = service_index(name) if there else service_topic(name)
    return Reading(chosen(call, HEALTH, found), index, (topic,))


def _is_passing_only(call: Call) -> bool:
    text = call.query.get("passing")
    if "passing" in call.query and text not in _TRUE + _FALSE:
        raise bad_request("Invalid value for ?passing")
    return "passing" in call.query and text in _TRUE


def _connect(call: Call, reader: Reader) -> Reading:
    """Which proxies stand for a service: none, since proxies of Consul's own mesh are not registered here."""
    name = call.named("service name")
    index = index_of_service(reader, name, is_there=False, with_checks=True)
    return Reading([], index, (service_topic(name),))


def _checks_of_service(call: Call, reader: Reader) -> Reading:
    name = call.named("service name")
    return _checks(call, reader, checks_of(reader, name), service_checks_topic(name))


def _checks_of_node(call: Call, reader: Reader) -> Reading:
    name = call.named("node name")
    return _checks(call, reader, checks_on(reader, name), node_checks_topic(name))


def _checks_in_state(call: Call, reader: Reader) -> Reading:
    state = call.named("check state")
    if state == "any":
        return _checks(call, reader, checks(reader), CHECK_ROWS)
    return _checks(call, reader, checks(reader, state), status_topic(state))


def _checks(call: Call, reader: Reader, found: list[Entry], topic: str) -> Reading:
    if "node-meta" in call.query:
        found = [one for one in found if has_node_meta(call, node(reader, one["Node"]))]
    return Reading(chosen(call, CHECK, found), reader.index_of("checks"), (topic,))


ROUTES = (
    Route("/v1/health/service/", {"GET": blocking(_service)}),
    Route("/v1/health/connect/", {"GET": blocking(_connect)}),
    Route("/v1/health/checks/", {"GET": blocking(_checks_of_service)}),
    Route("/v1/health/node/", {"GET": blocking(_checks_of_node)}),
    Route("/v1/health/state/", {"GET": blocking(_checks_in_state)}),
)
