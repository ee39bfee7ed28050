"""The closed set of what a watch can tell. Each update is whole: it replaces the last of its kind, never adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .model import Instance, Intentions, KvEntry, Status


@dataclass(frozen=True, slots=True)
class KvUpdate:
    """All keys under `prefix`, sorted by key. `prefix` is one of `mesh/`, `meshnode/status/`, `meshnode/ca/`.

    `consul_index` is X-Consul-Index of the answer: only for the next question, never the index a node reached.
    An entry whose indexes did not change is the same object as in the update before. `is_confirmed` says that the
    index went back and a second reading by `?consistent` says so too; without it such an answer is kept aside.
    """

    prefix: str
    entries: tuple[KvEntry, ...]
    consul_index: int
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class NodesUpdate:
    """All instances of the service `meshnode`: the nodes of the mesh, passing or not, sorted by node and id.

    `vanished` are nodes that were in the update before and are not in this one because the whole Consul node left the
    catalog, or left it and came again: nobody deregistered `meshnode` there.
    """

    instances: tuple[Instance, ...]
    consul_index: int
    vanished: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IntentionsUpdate:
    """All service-intentions entries, sorted by destination."""

    intentions: tuple[Intentions, ...]
    consul_index: int


@dataclass(frozen=True, slots=True)
class ServicesUpdate:
    """Every service name in the catalog with the tags of its instances, both sorted."""

    services: tuple[tuple[str, tuple[str, ...]], ...]
    consul_index: int


@dataclass(frozen=True, slots=True)
class UnhealthyCheck:
    """A check that does not pass. `service_id` is empty for a check of the whole node.

    `status` is `maintenance` where the check is one of Consul's maintenance marks. `note` is the check's output,
    cut at 200 characters.
    """

    node: str
    check_id: str
    name: str
    service_id: str
    service: str
    status: Status
    note: str


@dataclass(frozen=True, slots=True)
class UnhealthyUpdate:
    """All checks of the datacenter that do not pass, sorted by node and check.

    Complete as of `consul_index`: an instance without a check here, by its node and id or by its node alone, passes.
    Told for each new index, also where the checks are the same, so that it can be compared with a sweep's.
    """

    checks: tuple[UnhealthyCheck, ...]
    consul_index: int


@dataclass(frozen=True, slots=True)
class InstancesUpdate:
    """All instances of one named service, sorted by node and id; none when nobody has it.

    `kept` are those of them, by node and id, that Consul lost with their whole node a moment ago (reaped.py): their
    status is what it was.
    """

    service: str
    instances: tuple[Instance, ...]
    consul_index: int
    kept: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class LocalServicesUpdate:
    """The instances registered on this Consul node, sorted by service and id, without `meshnode`, `edge`, `consul`.

    Their `status` is always `passing`: health comes by UnhealthyUpdate.
    """

    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True)
class DefaultIntentionUpdate:
    """What Consul does with a call no intention names.

    `source` says where it stands (`default_intention_policy`, `acl.default_policy`). `disagreement` is a sentence
    when Consul's own decision for a made-up caller was another one, else None.
    """

    policy: Literal["allow", "deny"]
    source: str
    disagreement: str | None = None


@dataclass(frozen=True, slots=True)
class Staleness:
    """Since when (Unix seconds) what we know may be old, and why; None and an empty reason once all watches run."""

    since: float | None
    reason: str = ""


Update = (
    KvUpdate
    | NodesUpdate
    | IntentionsUpdate
    | ServicesUpdate
    | UnhealthyUpdate
    | InstancesUpdate
    | LocalServicesUpdate
    | DefaultIntentionUpdate
    | Staleness
)
