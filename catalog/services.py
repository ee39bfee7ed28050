"""The services that run on this node: where their instances are dialled, and what their registration asks for in meta.

Resolves no user names by itself; opens nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .addresses import is_loopback, is_unspecified, socket_address, with_port
from .model import Instance, Problem
from .resource import Resource
from .text import quote
from .values import is_service_name

META_ADDRESS = "mesh-local-address"
META_PORT = "mesh-outbound-port"
META_USER = "mesh-user"

UIDS_MAX = 256
"""What the proxy takes for one listener."""

USER_ID_MAX = 2**32 - 2
"""The highest there is; the one above means "none"."""


@dataclass(frozen=True, slots=True)
class LocalService:
    """A service of this node.

    `outbound_port` is what its meta asks for. `uids` are the users of meta `mesh-user`, `owners` the sockets its
    instances are dialled at, `ports` those they are registered with.
    """

    name: str
    resource: Resource
    owners: tuple[str, ...]
    uids: tuple[int, ...]
    outbound_port: int | None
    ports: frozenset[int]


def local_services(
    instances: tuple[Instance, ...], own_address: str, uid_of: Callable[[str], int | None]
) -> tuple[tuple[LocalService, ...], tuple[Problem, ...]]:
    """The services of these instances, sorted by name, and what is wrong with their registrations."""
    found: dict[str, list[Instance]] = {}
    problems: dict[Problem, None] = {}
    for instance in sorted(instances, key=lambda one: (one.service, one.id)):
        if is_service_name(instance.service):
            found.setdefault(instance.service, []).append(instance)
        else:
            sentence = "its name is none the mesh can carry: letters, digits, _ . and - make one"
            problems[_problem(instance, "warning", sentence)] = None
    services = [
        _service(name, members, own_address, uid_of, problems) for name, members in found.items()
    ]
    return tuple(services), tuple(problems)


def same_user(services: tuple[LocalService, ...]) -> tuple[Problem, ...]:
    """A warning for services that name a user another one has named: each of them can call as the other."""
    first: dict[int, str] = {}
    problems = []
    for service in services:
        for uid in service.uids:
            other = first.setdefault(uid, service.name)
            if other != service.name:
                sentence = (
                    f"it runs as the user {uid}, as {quote(other)} does: either can call as the other; "
                    "give each a user of its own"
                )
                problems.append(Problem(f"service {service.name}", 0, "warning", sentence))
    return tuple(problems)


def _service(
    name: str,
    instances: list[Instance],
    own_address: str,
    uid_of: Callable[[str], int | None],
    problems: dict[Problem, None],
) -> LocalService:
    resources, owners, uids = [], dict[str, None](), dict[int, None]()
    ports: dict[int, None] = {}
    for instance in instances:
        addresses = _addresses(instance, own_address, problems)
        uids.update(dict.fromkeys(_uids(instance, uid_of, problems)))
        if port := _outbound_port(instance, problems):
            ports[port] = None
        if addresses:
            owners.update(dict.fromkeys(addresses))
            is_healthy = instance.weight > 0
            resources.append({"id": instance.id, "addresses": addresses, "healthy": is_healthy})
        else:
            sentence = f"instance {quote(instance.id)} has no IP address and port to dial: left out"
            problems[_problem(instance, "warning", sentence)] = None
    if len(ports) > 1:
        sentence = f"its instances ask for different ports in meta {META_PORT}: {next(iter(ports))} is taken"
        problems[_problem(instances[0], "warning", sentence)] = None
    return LocalService(
        name,
        {"service": name, "instances": resources},
        tuple(owners)[:UIDS_MAX],
        tuple(uids)[:UIDS_MAX],
        next(iter(ports), None),
        frozenset(instance.port for instance in instances),
    )


def _addresses(instance: Instance, own_address: str, problems: dict[Problem, None]) -> list[str]:
    """Where an instance is dialled, in order.

    Its meta rules; else its own address if that is local, or the node's, and 127.0.0.1 behind that for services that
    listen on loopback only.
    """
    asked = instance.meta_value(META_ADDRESS)
    if asked is not None:
        if address := with_port(asked.strip(), instance.port):
            return [address]
        sentence = f"meta {META_ADDRESS} is {quote(asked)}; it is an IP address, or one with a port"
        problems[_problem(instance, "error", sentence)] = None
    node_address = instance.node_address or own_address
    first = node_address
    if instance.address and not is_unspecified(instance.address):
        is_own = instance.address in (node_address, own_address) or is_loopback(instance.address)
        first = instance.address if is_own else node_address
    hosts = [first] if is_loopback(node_address) or is_loopback(first) else [first, "127.0.0.1"]
    return [found for host in hosts if (found := socket_address(host, instance.port))]


def _uids(
    instance: Instance, uid_of: Callable[[str], int | None], problems: dict[Problem, None]
) -> list[int]:
    asked = instance.meta_value(META_USER)
    uids = []
    for word in (asked or "").replace(",", " ").split():
        uid = int(word) if word.isascii() and word.isdigit() and len(word) <= 10 else uid_of(word)
        if uid is not None and 0 <= uid <= USER_ID_MAX:
            uids.append(uid)
        else:
            sentence = f"meta {META_USER} names {quote(word)}, but this machine has no such user"
            problems[_problem(instance, "error", sentence)] = None
    return uids


def _outbound_port(instance: Instance, problems: dict[Problem, None]) -> int | None:
    asked = instance.meta_value(META_PORT)
    if asked is None:
        return None
    if asked.isascii() and asked.isdigit() and len(asked) <= 5 and 0 < int(asked) < 65_536:
        return int(asked)
    sentence = f"meta {META_PORT} is {quote(asked)}; it is a port, 1 to 65535"
    problems[_problem(instance, "error", sentence)] = None
    return None


def _problem(instance: Instance, severity: str, sentence: str) -> Problem:
    return Problem(
        f"service {instance.service}", 0, "error" if severity == "error" else "warning", sentence
    )
