"""The seven watches of a node: what each asks and what it makes of the answer. Keeps nothing between two answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from . import kv_answers, parse
from .calls import Question, Right
from .client import NODES_READ, Reads
from .transport import Answer
from .update import (
    IntentionsUpdate,
    KvUpdate,
    NodesUpdate,
    ServicesUpdate,
    UnhealthyUpdate,
)

NODE_SERVICE = "meshnode"
"""The service each node of the mesh registers."""
MOST_DOUBTS = 64
"""So many rights Consul looks up in one call."""

Watched = KvUpdate | NodesUpdate | IntentionsUpdate | ServicesUpdate | UnhealthyUpdate

U = TypeVar("U", bound=Watched)


@dataclass(slots=True)
class Reading(Generic[U]):
    """The last answer that was believed, and the body it was read from: the same once more changed nothing."""

    update: U
    body: bytes


class Source(ABC, Generic[U]):
    """One thing to watch."""

    name: str
    """For people: stands in the reason of a staleness."""
    right: Right
    """What the token must be allowed."""
    wait_s: int | None = None
    """How long a question stays open, where it must be shorter than those of others."""
    is_index_news = False
    """Whether an answer is told that has a newer index and the same content."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    @abstractmethod
    async def read(self, question: Question) -> Answer: ...

    @abstractmethod
    def parse(self, answer: Answer, last: Reading[U] | None) -> U:
        """The update in an answer; `last` is the one before, whose parts may be used again."""

    @abstractmethod
    def doubts(self, update: U, last: U | None) -> Sequence[Right]:
        """The rights whose lack would make Consul answer so without a word; none for an answer above suspicion.

        Where there are some and there is a `last`, something vanished: it is asked for again before it is believed.
        """

    def confirmed(self, update: U) -> U:
        """The update of a second reading."""
        return update

    async def explained(self, update: U, last: U) -> U:  # noqa: ARG002 (for those that ask why)
        """The update of a second reading, with what is to be known of what vanished."""
        return update


class KvSource(Source[KvUpdate]):
    def __init__(self, reads: Reads, prefix: str) -> None:
        super().__init__(reads)
        self.name = prefix
        self.right = ("key", prefix, "read")

    async def read(self, question: Question) -> Answer:
        return await self._reads.kv(self.name, question)

    def parse(self, answer: Answer, last: Reading[KvUpdate] | None) -> KvUpdate:
        body, known = (last.body, last.update.entries) if last else (b"", ())
        return KvUpdate(self.name, kv_answers.read(answer, body, known), answer.index)

    def doubts(self, update: KvUpdate, last: KvUpdate | None) -> Sequence[Right]:
        is_known_empty = last is not None and not last.entries
        return () if update.entries or is_known_empty else (self.right,)

    def confirmed(self, update: KvUpdate) -> KvUpdate:
        return replace(update, is_confirmed=True)


class NodesSource(Source[NodesUpdate]):
    name = "nodes"
    right = ("service", NODE_SERVICE, "read")

    async def read(self, question: Question) -> Answer:
        return await self._reads.health_service(NODE_SERVICE, question)

    def parse(self, answer: Answer, last: Reading[NodesUpdate] | None) -> NodesUpdate:  # noqa: ARG002 (the base's)
        return NodesUpdate(parse.instances(answer.json()), answer.index)

    def doubts(self, update: NodesUpdate, last: NodesUpdate | None) -> Sequence[Right]:
        """A node that vanishes turns mutual TLS off towards it, so each is asked for twice."""
        lost = bool(last and _ids(last) - _ids(update))
        return (self.right,) if lost or not update.instances else ()

    async def explained(self, update: NodesUpdate, last: NodesUpdate) -> NodesUpdate:
        """Which nodes left the catalog as a whole, or left and came again; of very many at once it is believed."""
        there = {instance.node for instance in update.instances}
        lost = [instance for instance in last.instances if instance.node not in there]
        if len(lost) > MOST_DOUBTS:
            return replace(update, vanished=frozenset(one.node for one in lost))
        vanished = [
            one.node
            for one in lost
            if await self._reads.node_create_index(one.node) != one.node_create_index
        ]
        return replace(update, vanished=frozenset(vanished))


class IntentionsSource(Source[IntentionsUpdate]):
    """Of config entries Consul wakes who asked only when the list differs from what it was when the question came.

    One that came after the right was taken away saw an empty list then, and one for ever: what is missing is not
    noticed before the wait is over.
    """

    name = "intentions"
    right = ("intention", "*", "read")
    wait_s = 30

    async def read(self, question: Question) -> Answer:
        return await self._reads.config_intentions(question)

    def parse(self, answer: Answer, last: Reading[IntentionsUpdate] | None) -> IntentionsUpdate:  # noqa: ARG002 (the base's)
        return IntentionsUpdate(parse.intentions(answer.json()), answer.index)

    def doubts(self, update: IntentionsUpdate, last: IntentionsUpdate | None) -> Sequence[Right]:
        """Consul leaves out what the token may not read and says nothing; a lost intention may be a lost denial."""
        if last is None:
            return () if update.intentions else (self.right,)
        kept = {entry.destination for entry in update.intentions}
        lost = [one.destination for one in last.intentions if one.destination not in kept]
        return [("intention", name, "read") for name in lost[:MOST_DOUBTS]]


class ServicesSource(Source[ServicesUpdate]):
    name = "services"
    right = ("service", "", "read")

    async def read(self, question: Question) -> Answer:
        return await self._reads.catalog_services(question)

    def parse(self, answer: Answer, last: Reading[ServicesUpdate] | None) -> ServicesUpdate:  # noqa: ARG002 (the base's)
        return ServicesUpdate(parse.services(answer.json()), answer.index)

    def doubts(self, update: ServicesUpdate, last: ServicesUpdate | None) -> Sequence[Right]:  # noqa: ARG002 (the base's)
        """Never empty where all may be read: Consul's servers are a service themselves."""
        return () if update.services else (self.right,)


class UnhealthySource(Source[UnhealthyUpdate]):
    name = "checks"
    right = NODES_READ
    # Whether a sweep or this knows more of a check is decided by their indexes.
    is_index_news = True

    async def read(self, question: Question) -> Answer:
        return await self._reads.health_unhealthy(question)

    def parse(self, answer: Answer, last: Reading[UnhealthyUpdate] | None) -> UnhealthyUpdate:  # noqa: ARG002 (the base's)
        return UnhealthyUpdate(parse.unhealthy_checks(answer.json()), answer.index)

    def doubts(self, update: UnhealthyUpdate, last: UnhealthyUpdate | None) -> Sequence[Right]:
        """Empty is the good case, and comes and goes with every flap: asked after at the start only."""
        return (self.right,) if last is None and not update.checks else ()


def _ids(update: NodesUpdate) -> set[tuple[str, str]]:
    return {(instance.node, instance.id) for instance in update.instances}
