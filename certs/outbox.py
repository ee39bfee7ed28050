"""The node's requests that stand in KV, and what comes of each. Decides neither when to ask nor what to believe."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .errors import AnswerError, DocumentError, StoreError
from .keys import answer_key, request_key
from .node_key import NodeKey
from .request import Answer, Asked, ask, nonce_of
from .store import Entry, GuardedStore

log = logging.getLogger(__name__)

# A watch may still show what stood there before; older ones of ours than these it does not.
OWN_NONCES = 16


@dataclass(slots=True, eq=False)
class Pending:
    """A request that stands in KV; `outcome` becomes its answer, or why there will be none."""

    asked: Asked
    value: bytes
    sent_at_s: float
    outcome: asyncio.Future[Answer | AnswerError] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def is_answered(self) -> bool:
        return self.outcome.done()


class Outbox:
    """At most one request for each service; a new one takes the place of the last."""

    def __init__(self, store: GuardedStore, node: str, node_key: NodeKey) -> None:
        self._store = store
        self._node = node
        self._node_key = node_key
        self._pending: dict[str, Pending] = {}
        self._own_nonces: dict[str, deque[str]] = {}

    def get(self, service: str) -> Pending | None:
        return self._pending.get(service)

    async def send(
        self, service: str, *, spiffe_id: str, session: str, clock: Callable[[], datetime]
    ) -> Pending:
        """Makes a key and asks for its certificate. Raises StoreError."""
        now = clock()
        asked = ask(
            self._node,
            service,
            spiffe_id=spiffe_id,
            session=session,
            node_key=self._node_key,
            now=now,
        )
        sent_at_s = asyncio.get_running_loop().time()
        pending = Pending(asked, asked.request.to_bytes(), sent_at_s)
        nonces = self._own_nonces.setdefault(service, deque(maxlen=OWN_NONCES))
        nonces.append(asked.request.nonce)
        # Before the put: the answer may be here before the put's own.
        self._pending[service] = pending
        try:
            await self._store.kv_put(request_key(self._node, service), pending.value)
        except StoreError:
            self._pending.pop(service, None)
            raise
        return pending

    def update(self, entries: Mapping[str, Entry]) -> set[str]:
        """The services whose request has an outcome since now. `entries` are all keys under meshnode/ca/."""
        answered: set[str] = set()
        for service, pending in self._pending.items():
            if pending.is_answered:
                continue
            outcome = self._outcome(service, pending, entries)
            if outcome is not None:
                pending.outcome.set_result(outcome)
                answered.add(service)
        return answered

    def close(self, service: str) -> Pending | None:
        """Forgets the service's request, and gives it back."""
        return self._pending.pop(service, None)

    async def remove(self, service: str) -> None:
        """Takes the request out of KV; the signer then takes its answer out."""
        try:
            await self._store.kv_delete(request_key(self._node, service))
        except StoreError as error:
            log.info("a request is left for the signer to remove: %s", error)

    def _outcome(
        self, service: str, pending: Pending, entries: Mapping[str, Entry]
    ) -> Answer | AnswerError | None:
        key = request_key(self._node, service)
        answer = entries.get(answer_key(self._node, service))
        if answer is not None and nonce_of(answer.value) == pending.asked.request.nonce:
            try:
                return Answer.from_bytes(answer.value)
            except DocumentError as error:
                return AnswerError(f"the signer's answer cannot be read: {error}")
        request = entries.get(key)
        if request is None or request.value == pending.value:
            return None
        if nonce_of(request.value) in self._own_nonces[service]:
            return None
        return AnswerError(f"somebody else wrote over {key}: see who may write there")
