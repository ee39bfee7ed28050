"""All that Consul told us, as one frozen value: `state.apply(update)` gives the next. Compiles nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from .health import CheckTable, check_table, swept, with_status
from .held import Keys, take
from .keys import PREFIX
from .language.written import to_document
from .mesh import Mesh
from .mesh import take as take_nodes
from .model import Instance, Intentions, KvEntry
from .routes import saved_routes
from .update import (
    DefaultIntentionUpdate,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    ServicesUpdate,
    Staleness,
    UnhealthyUpdate,
    Update,
)
from .values import RESERVED_SERVICES

if TYPE_CHECKING:
    from .snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class State:
    """The last word of each watch.

    `sweeps` has the answer for each service that was ever swept, `instances` the same with the status that counts.
    `local` is what is registered on this Consul node, `local_services` the same with its status, without the mesh's
    own registrations, sidecars and gateways.
    """

    keys: Keys = field(default_factory=Keys)
    services: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mesh: Mesh = field(default_factory=Mesh)
    intentions: tuple[Intentions, ...] = ()
    unhealthy: UnhealthyUpdate | None = None
    checks: CheckTable = field(default_factory=dict)
    sweeps: Mapping[str, InstancesUpdate] = field(default_factory=dict)
    instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    local: tuple[Instance, ...] = ()
    local_services: tuple[Instance, ...] = ()
    default_intention: DefaultIntentionUpdate | None = None
    staleness: Staleness = field(default_factory=lambda: Staleness(None))

    @classmethod
    def restored(cls, saved: Snapshot, policies: Iterable[KvEntry] = ()) -> State:
        """A state that holds the routes of a saved snapshot as keys, and the saved policies.

        With it the first answer of Consul is judged as if this process had never stopped: an emptied prefix is held.
        """
        routes = (
            KvEntry(route.key, orjson.dumps(to_document(route.rule)), route.index)
            for route in saved_routes(saved.resources.get("routes", {}))
        )
        return cls(keys=Keys(tuple(sorted((*routes, *policies), key=lambda entry: entry.key))))

    @property
    def meaning(self) -> tuple[object, ...]:
        """All of it that a compiler reads: where this is equal, compiling gives the same.

        Not in it: the indexes of answers, and checks that made no instance's status another.
        """
        keys = self.keys
        return (
            (keys.entries, keys.hold, keys.aside, keys.aside and keys.consul_index),
            self.services,
            self.mesh,
            self.intentions,
            self.sweeps.keys(),
            self.instances,
            self.local_services,
            self.default_intention,
        )

    def apply(self, update: Update) -> State:
        """The state after an update; the same object when the update says nothing new."""
        match update:
            case KvUpdate(prefix=prefix):
                return self._keys(update) if prefix == PREFIX else self
            case InstancesUpdate():
                return self._swept(update)
            case UnhealthyUpdate():
                return self._unhealthy(update)
            case LocalServicesUpdate(instances=local):
                return self if local == self.local else self._local(local)
            case ServicesUpdate(services=services):
                return self if services == self.services else replace(self, services=services)
            case NodesUpdate():
                mesh = take_nodes(self.mesh, update)
                return self if mesh == self.mesh else replace(self, mesh=mesh)
            case IntentionsUpdate(intentions=intentions):
                same = intentions == self.intentions
                return self if same else replace(self, intentions=intentions)
            case DefaultIntentionUpdate():
                same = update == self.default_intention
                return self if same else replace(self, default_intention=update)
            case Staleness():
                return self if update == self.staleness else replace(self, staleness=update)

    def _keys(self, update: KvUpdate) -> State:
        keys = take(self.keys, update)
        return self if keys == self.keys else replace(self, keys=keys)

    def _swept(self, update: InstancesUpdate) -> State:
        if self.sweeps.get(update.service) == update:
            return self
        sweeps = {**self.sweeps, update.service: update}
        before = self.instances.get(update.service, ())
        found = swept(update, self.unhealthy, self.checks, before)
        if found == self.instances.get(update.service):
            return replace(self, sweeps=sweeps)
        return replace(self, sweeps=sweeps, instances={**self.instances, update.service: found})

    def _unhealthy(self, update: UnhealthyUpdate) -> State:
        if update == self.unhealthy:
            return self
        table = check_table(update)
        changed = {at for at, _ in self.checks.items() ^ table.items()}
        before = self.unhealthy.consul_index if self.unhealthy else -1
        instances = dict(self.instances)
        for service, sweep in self.sweeps.items():
            is_touched = sweep.consul_index > before or (
                bool(changed)
                and any(
                    (instance.node, instance.id) in changed or (instance.node, "") in changed
                    for instance in sweep.instances
                )
            )
            if is_touched:
                found = swept(sweep, update, table, instances[service])
                if found != instances[service]:
                    instances[service] = found
        local_services = _local_services(self.local, table)
        return replace(
            self,
            unhealthy=update,
            checks=table,
            instances=self.instances if instances == self.instances else instances,
            local_services=self.local_services
            if local_services == self.local_services
            else local_services,
        )

    def _local(self, local: tuple[Instance, ...]) -> State:
        return replace(self, local=local, local_services=_local_services(local, self.checks))


def _local_services(local: tuple[Instance, ...], table: CheckTable) -> tuple[Instance, ...]:
    own = tuple(
        instance
        for instance in local
        if instance.service not in RESERVED_SERVICES and not instance.kind
    )
    return with_status(own, table)
