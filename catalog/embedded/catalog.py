"""The catalog over HTTP: `/v1/catalog/…`. Reads what entries have, and registers and deregisters as a server does."""

from __future__ import annotations

from .answer import Answer
from .blocking import Reading, blocking
from .call import Call, Route
from .catalog_bodies import Deregistration, Registration
from .entries import (
    NODE_EXTINCTION,
    NODE_ROWS,
    SERVICE_ROWS,
    Entry,
    index_of_service,
    instances,
    node,
    node_index,
    node_services_topic,
    nodes,
    service_topic,
    services,
    services_on,
)
from .filter_fields import NODE, SERVICE, SERVICE_NODE
from .lists import DONE, chosen, filter_of, has_node_meta, has_tags, service_node
from .node_entries import put_alive as put_node
from .store import Reader

__all__ = ["ROUTES", "put_node"]


async def _register(call: Call) -> Answer:
    registration = Registration.of(call.body)
    await call.store.write(registration.apply)
    return DONE


async def _deregister(call: Call) -> Answer:
    deregistration = Deregistration.of(call.body)
    await call.store.write(deregistration.apply)
    call.shared.checks.drop_gone()
    return DONE


def _nodes(call: Call, reader: Reader) -> Reading:
    found = [one for one in nodes(reader) if has_node_meta(call, one)]
    return Reading(chosen(call, NODE, found), reader.index_of("nodes"), (NODE_ROWS,))


def _services(call: Call, reader: Reader) -> Reading:
    """The names, each with all the tags its instances have."""
    wanted = filter_of(call, SERVICE_NODE)
    has_meta = "node-meta" in call.query
    by_name = {one["Node"].lower(): one for one in nodes(reader)}
    tags: dict[str, dict[str, None]] = {}
    for node_name, service in services(reader):
        whole = service_node(by_name[node_name.lower()], service)
        if wanted.keeps(whole) and has_node_meta(call, by_name[node_name.lower()]):
            tags.setdefault(service["Service"], {}).update(dict.fromkeys(service["Tags"]))
    found = {name: list(tags[name]) for name in sorted(tags)}
    index = reader.index_of("services", "nodes") if has_meta else reader.index_of("services")
    return Reading(found, index, (SERVICE_ROWS, NODE_ROWS) if has_meta else (SERVICE_ROWS,))


def _service(call: Call, reader: Reader) -> Reading:
    """The instances of a service, each with its node; what its checks say is not in it."""
    name = call.named("service name")
    there = instances(reader, name)
    found: list[Entry] = []
    for node_name, service in there:
        owner = node(reader, node_name)
        if owner and has_tags(call, service["Tags"]) and has_node_meta(call, owner):
            found.append(service_node(owner, service))
    index = index_of_service(reader, name, is_there=bool(there), with_checks=False)
    return Reading(chosen(call, SERVICE_NODE, found), index, (service_topic(name), NODE_ROWS))


def _node(call: Call, reader: Reader) -> Reading:
    """A node with its services by id; null without one."""
    return _node_reading(call, reader, is_list=False)


def _node_services(call: Call, reader: Reader) -> Reading:
    """The same with the services as a list."""
    return _node_reading(call, reader, is_list=True)


def _node_reading(call: Call, reader: Reader, *, is_list: bool) -> Reading:
    name = call.named("node name")
    wanted = filter_of(call, SERVICE)
    owner = node(reader, name)
    if owner is None:
        nothing: Entry | None = {"Node": None, "Services": None} if is_list else None
        return Reading(nothing, reader.index_of(NODE_EXTINCTION), (NODE_ROWS,), is_absent=True)
    found = [service for service in services_on(reader, name) if wanted.keeps(service)]
    ordered = sorted(found, key=lambda service: str(service["ID"]))
    by_id = {service["ID"]: service for service in ordered}
    return Reading(
        {"Node": owner, "Services": found if is_list else by_id},
        reader.index_of(node_index(owner["Node"])),
        (NODE_ROWS, node_services_topic(name)),
    )


ROUTES = (
    Route("/v1/catalog/register", {"PUT": _register}),
    Route("/v1/catalog/deregister", {"PUT": _deregister}),
    Route("/v1/catalog/nodes", {"GET": blocking(_nodes)}),
    Route("/v1/catalog/services", {"GET": blocking(_services)}),
    Route("/v1/catalog/service/", {"GET": blocking(_service)}),
    Route("/v1/catalog/node/", {"GET": blocking(_node)}),
    Route("/v1/catalog/node-services/", {"GET": blocking(_node_services)}),
)
