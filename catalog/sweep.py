"""Instances of the services that are named in routes, and of this node: read when the catalog moved, not watched one by one.

Status is not its business: the watch of failing checks knows more, and sooner.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

from . import parse
from .backoff import persist
from .calls import Consistency, Question
from .client import ConsulClient
from .errors import CatalogError, ConsulAnswerError, ConsulDenied
from .model import Instance
from .reaped import ReapedNodes
from .transport import Answer
from .update import InstancesUpdate, LocalServicesUpdate
from .values import RESERVED_SERVICES

AT_ONCE = 32
"""So many named services are swept at every wake of the catalog: 10 ms of one connection."""
MANY_SPACING_S = 2.0
"""Between two sweeps of more than that."""
SETTLE_S = 2.0
"""After a sweep this long without a wake, one more: a sweep takes any server's word, and one may have been behind."""

LOCAL_AGAIN_S = 10.0
"""While the local agent has a service that the catalog lost: its deregistration there would wake nobody."""

Deliver = Callable[[InstancesUpdate | LocalServicesUpdate], None]


class Sweep:
    """Reads what is named, in turn over the one connection for single calls."""

    def __init__(
        self,
        client: ConsulClient,
        node: str,
        *,
        deliver: Deliver,
        failed: Callable[[CatalogError], None],
        recovered: Callable[[], None],
        was_away: Callable[[], bool],
        jitter: random.Random,
    ) -> None:
        """`was_away`: whether there was an outage a moment ago."""
        self.has_local = asyncio.Event()
        """Set once the services of this node were read."""
        self._client = client
        self._node = node
        self._deliver = deliver
        self._failed = failed
        self._recovered = recovered
        self._jitter = jitter
        self._reaped = ReapedNodes(client, was_away)
        self._local_again_s: float | None = None
        self._named: frozenset[str] = frozenset()
        self._pending: set[str] = set()
        self._is_local_pending = True
        self._known: dict[str, InstancesUpdate] = {}
        self._bodies: dict[str, tuple[bytes, tuple[Instance, ...]]] = {}
        """Of each service the hash of the body that was read last, and what stood in it."""
        self._local: LocalServicesUpdate | None = None
        self._wanted = asyncio.Event()
        self._complete = asyncio.Event()
        self._wanted.set()

    def name(self, services: frozenset[str]) -> None:
        """From now on these are kept up to date; what is new among them is read at once, the others are forgotten."""
        new = services - self._named
        for gone in self._named - services:
            self._known.pop(gone, None)
            self._bodies.pop(gone, None)
        self._named = services
        self._pending = (self._pending & services) | new
        if new:
            self._complete.clear()
            self._wanted.set()
        elif not services - self._known.keys():
            self._complete.set()

    def catalog_moved(self) -> None:
        """Something in the catalog changed, or may have: read all that is named, and what this node runs."""
        self._pending |= self._named
        self._is_local_pending = True
        self._wanted.set()

    async def complete(self) -> None:
        """Returns once every service that is named was read at least once."""
        await self._complete.wait()

    async def run(self) -> None:
        while True:
            if not await self._is_wanted(self._again_s()):
                self.catalog_moved()
            await self._persist()
            if not await self._is_wanted(SETTLE_S):
                self.catalog_moved()
                await self._persist()
                self._wanted.clear()

    async def _persist(self) -> None:
        many = len(self._pending) > AT_ONCE
        await persist(
            self._sweep,
            failed=self._failed,
            interruption=self._client.returned,
            jitter=self._jitter,
        )
        self._recovered()
        if many:
            await asyncio.sleep(MANY_SPACING_S)

    def _again_s(self) -> float | None:
        """When what is kept without Consul is to be looked at again, though the catalog does not move."""
        dues = [due for due in (self._reaped.due_s(), self._local_again_s) if due is not None]
        return min(dues, default=None)

    async def _is_wanted(self, within_s: float | None) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return await self._wanted.wait()
        except TimeoutError:
            return False

    async def _sweep(self) -> None:
        """All that is pending; what could not be read stays so. Raises CatalogError, the first of them."""
        self._wanted.clear()
        self._reaped.forget_due()
        if self._is_local_pending:
            await self._read_local()
        refused: dict[str, CatalogError] = {}
        while self._pending:
            service = self._pending.pop()
            try:
                await self._read(service)
            except (ConsulDenied, ConsulAnswerError) as error:
                refused[service] = error  # the others may be read all the same
            except BaseException:
                self._pending |= {service, *refused}
                raise
        if refused:
            self._pending |= refused.keys() & self._named
            raise next(iter(refused.values()))
        self._complete.set()

    async def _read_local(self) -> None:
        self._is_local_pending = False  # a move while we read is one more
        try:
            found = await self._client.services_on_node(self._node)
            if not found and self._local and self._local.instances:
                found = await self._client.services_on_node(self._node, consistent=True)
            lost = await self._lost_by_consul(found)
        except BaseException:
            self._is_local_pending = True
            raise
        self._local_again_s = LOCAL_AGAIN_S if lost else None
        users = [one for one in found if one.service not in RESERVED_SERVICES]
        update = LocalServicesUpdate(_merged(users, lost))
        if update != self._local:
            self._local = update
            self._deliver(update)
        self.has_local.set()

    async def _lost_by_consul(self, found: Sequence[Instance]) -> list[Instance]:
        """Of what ran here: what the local agent still has. It will register it again, whatever the catalog says."""
        there = {instance.id for instance in found}
        lost = [one for one in self._local.instances if one.id not in there] if self._local else []
        return [one for one in lost if await self._client.local_service(one.id) is not None]

    async def _read(self, service: str) -> None:
        """One service. An answer older than the last, or suddenly empty, is asked for again of the leader."""
        last = self._known.get(service)
        answer, update = await self._ask(service, "stale")
        vanished = last is not None and bool(last.instances) and not update.instances
        if last is not None and (vanished or update.consul_index < last.consul_index):
            answer, update = await self._ask(service, "consistent")
        right = ("service", service, "read")
        is_news = last is None or bool(last.instances)
        await self._client.check_whole(
            answer, right, [right] if is_news and not update.instances else ()
        )
        if last is not None:
            kept = await self._reaped.kept(last.instances, update.instances)
            ids = frozenset((instance.node, instance.id) for instance in kept)
            update = replace(update, instances=_merged(update.instances, kept), kept=ids)
        if service not in self._named:
            return
        self._known[service] = update
        if last is None or _is_news(last, update):
            self._deliver(update)

    async def _ask(self, service: str, consistency: Consistency) -> tuple[Answer, InstancesUpdate]:
        question = Question(consistency=consistency)
        answer = await self._client.calls.health_service(service, question)
        return answer, InstancesUpdate(service, self._instances(service, answer), answer.index)

    def _instances(self, service: str, answer: Answer) -> tuple[Instance, ...]:
        """What stands in an answer. Where a catalog never rests, of thousands of bodies all but a few are as they were.

        Their hashes are kept and not they: some kilobytes each.
        """
        hashed = blake2b(answer.body, digest_size=16).digest()
        known = self._bodies.get(service)
        if known is not None and known[0] == hashed:
            return known[1]
        found: tuple[Instance, ...] = parse.instances(answer.json())
        if service in self._named:
            self._bodies[service] = hashed, found
        return found


def _is_news(last: InstancesUpdate, update: InstancesUpdate) -> bool:
    """An index that went back is news too: by it is decided whether a sweep or the watch of checks knows more."""
    same = (last.instances, last.kept) == (update.instances, update.kept)
    return not same or update.consul_index < last.consul_index


def _merged(found: Sequence[Instance], kept: Sequence[Instance]) -> tuple[Instance, ...]:
    return tuple(sorted((*found, *kept), key=lambda one: (one.node, one.service, one.id)))
