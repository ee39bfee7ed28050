"""Instances of the services that are named in routes, and of this node: read when the catalog moved, not watched one by one.

Status is not its business: the watch of failing checks knows more, and sooner.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from . import parse
from .backoff import persist
from .calls import Consistency, Question
from .client import ConsulClient
from .errors import CatalogError, ConsulAnswerError, ConsulDenied
from .model import Instance
from .transport import Answer
from .update import InstancesUpdate, LocalServicesUpdate
from .values import RESERVED_SERVICES

AT_ONCE = 32
"""So many named services are swept at every wake of the catalog: 10 ms of one connection."""
MANY_SPACING_S = 2.0
"""Between two sweeps of more than that."""
SETTLE_S = 2.0
"""After a sweep this long without a wake, one more: a sweep takes any server's word, and one may have been behind."""

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
        jitter: random.Random,
    ) -> None:
        self.has_local = asyncio.Event()
        """Set once the services of this node were read."""
        self._client = client
        self._node = node
        self._deliver = deliver
        self._failed = failed
        self._recovered = recovered
        self._jitter = jitter
        self._named: frozenset[str] = frozenset()
        self._pending: set[str] = set()
        self._is_local_pending = True
        self._known: dict[str, InstancesUpdate] = {}
        self._local: LocalServicesUpdate | None = None
        self._wanted = asyncio.Event()
        self._complete = asyncio.Event()
        self._wanted.set()

    def name(self, services: frozenset[str]) -> None:
        """From now on these are kept up to date; what is new among them is read at once, the others are forgotten."""
        new = services - self._named
        for gone in self._named - services:
            self._known.pop(gone, None)
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
            await self._wanted.wait()
            await self._persist()
            if not await self._is_wanted_soon():
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

    async def _is_wanted_soon(self) -> bool:
        try:
            async with asyncio.timeout(SETTLE_S):
                return await self._wanted.wait()
        except TimeoutError:
            return False

    async def _sweep(self) -> None:
        """All that is pending; what could not be read stays so. Raises CatalogError, the first of them."""
        self._wanted.clear()
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
        except BaseException:
            self._is_local_pending = True
            raise
        users = (one for one in found if one.service not in RESERVED_SERVICES)
        update = LocalServicesUpdate(tuple(users))
        if update != self._local:
            self._local = update
            self._deliver(update)
        self.has_local.set()

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
        if service not in self._named:
            return
        self._known[service] = update
        if last is None or last.instances != update.instances:
            self._deliver(update)

    async def _ask(self, service: str, consistency: Consistency) -> tuple[Answer, InstancesUpdate]:
        question = Question(consistency=consistency)
        answer = await self._client.calls.health_service(service, question)
        found: tuple[Instance, ...] = parse.instances(answer.json())
        return answer, InstancesUpdate(service, found, answer.index)
