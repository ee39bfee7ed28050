"""Gets this node's leaves and renews them, one task a service, again and again until it has them. Signs for nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from .backoff import Backoff
from .bell import Bell
from .errors import AnswerError, CertificateError, StoreError
from .identity import Identity, accept, renew_at
from .keys import SIGNER_KEY
from .outbox import Outbox, Pending
from .request import Answer
from .settings import CLOCK_TOLERANCE_S, CertificateSettings
from .spiffe import service_id
from .store import Entry
from .trust import Trust

log = logging.getLogger(__name__)

# The wall clock is looked at this often, because it may jump and a machine may sleep.
LOOK_S = 30.0
# A status session that was not there yet says nothing when it comes, unless the node wakes us.
SESSION_LOOK_S = 1.0
# Consul away is no reason for long pauses: trying again asks nobody for anything.
STORE_RETRY_MAX_S = 30.0
# A new signer would refuse an older request; a minute is for the way and the clocks.
STALE_REQUEST_S = CLOCK_TOLERANCE_S - 60.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the node knows at any moment, asked each time: its living status session, the pinned roots, what it holds."""

    session: Callable[[], str | None]
    trust: Callable[[], Trust | None]
    held: Callable[[str], Identity | None]


class Requester:
    """Keeps an identity for each wanted service; `take` is handed each new one, `changed` tells of failures."""

    def __init__(
        self,
        outbox: Outbox,
        around: Surroundings,
        *,
        datacenter: str,
        settings: CertificateSettings,
        take: Callable[[Identity], Awaitable[None]],
        changed: Callable[[], None],
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._outbox = outbox
        self._around = around
        self._datacenter = datacenter
        self._settings = settings
        self._take = take
        self._clock = clock
        self._random = random
        self._changed = changed
        self._bell = Bell()
        self._bells: dict[str, Bell] = {}
        """One a service: an answer to one of hundreds wakes one task, not hundreds."""
        self._wanted: frozenset[str] = frozenset()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._jitter: dict[str, float] = {}
        self._signer: str | None = None
        self.failures: dict[str, str] = {}
        """By service: why the last try brought nothing; gone with the next success."""

    def want(self, services: frozenset[str]) -> None:
        self._wanted = services
        self._bell.ring()

    def wake(self) -> None:
        """The session, the signer, the roots, or what is held changed."""
        for bell in (self._bell, *self._bells.values()):
            bell.ring()

    def update(self, entries: Mapping[str, Entry]) -> None:
        """All keys under meshnode/ca/, whole."""
        lock = entries.get(SIGNER_KEY)
        signer = lock.session if lock else None
        is_new_signer, self._signer = signer != self._signer, signer
        answered = self._outbox.update(entries)
        if is_new_signer:
            self.wake()
        for service in answered & self._bells.keys():
            self._bells[service].ring()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                seen = self._bell.rings
                await self._reconcile(group)
                await self._bell.wait(seen, LOOK_S)

    def renewal_due(self, identity: Identity) -> datetime:
        """When the identity is to be renewed; at once when it is not valid now."""
        now = self._clock()
        if not identity.is_valid_at(now):
            return now
        jitter = self._jitter.setdefault(identity.name, self._random.random())
        return renew_at(identity.not_before, identity.not_after, jitter)

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        """A task for each wanted service and no other."""
        for service in sorted(self._wanted - self._tasks.keys()):
            self._bells[service] = Bell()
            self._tasks[service] = group.create_task(self._keep(service), name=f"keep {service}")
        for service in sorted(self._tasks.keys() - self._wanted):
            self._tasks.pop(service).cancel()
            del self._bells[service]
            self.failures.pop(service, None)
            if self._outbox.close(service) is not None:
                await self._outbox.remove(service)

    async def _keep(self, service: str) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(CertificateError),
            wait=self._backoff(),
            sleep=partial(self._pause, service),
            before_sleep=partial(self._note_failure, service),
        )
        while True:
            await self._until_due(service)
            identity: Identity = await retrying(self._obtain, service)
            self.failures.pop(service, None)
            self._jitter.pop(service, None)
            await self._take(identity)
            await self._outbox.remove(service)

    async def _until_due(self, service: str) -> None:
        """Until there is no identity, or it is to be renewed, by the wall clock."""
        bell = self._bells[service]
        while True:
            seen = bell.rings
            identity = self._around.held(service)
            if identity is None:
                return
            left_s = (self.renewal_due(identity) - self._clock()).total_seconds()
            if left_s <= 0:
                return
            await bell.wait(seen, min(left_s, LOOK_S))

    async def _obtain(self, service: str) -> Identity:
        """One try. Raises AnswerError or StoreError."""
        pending = self._outbox.get(service)
        # An answer that came during the pause belongs to the request that still stands.
        if pending is None or not pending.is_answered:
            pending = await self._send(service)
        outcome = await self._outcome(pending)
        self._outbox.close(service)
        if isinstance(outcome, AnswerError):
            raise outcome
        trust = self._around.trust()
        if trust is None:
            raise AnswerError("this node has no CA to trust any more")
        return accept(outcome, pending.asked, trust, now=self._clock())

    async def _send(self, service: str) -> Pending:
        session, trust = await self._prerequisites(self._bells[service])
        try:
            name = service_id(trust.trust_domain, self._datacenter, service)
        except ValueError as error:
            raise AnswerError(str(error)) from error
        return await self._outbox.send(service, spiffe_id=name, session=session, clock=self._clock)

    async def _prerequisites(self, bell: Bell) -> tuple[str, Trust]:
        """Once there are a session that speaks for this node, and a CA."""
        while True:
            seen = bell.rings
            session, trust = self._around.session(), self._around.trust()
            if session is not None and trust is not None:
                return session, trust
            await bell.wait(seen, SESSION_LOOK_S if trust else LOOK_S)

    async def _outcome(self, pending: Pending) -> Answer | AnswerError:
        try:
            async with asyncio.timeout(self._settings.answer_timeout_s):
                return await asyncio.shield(pending.outcome)
        except TimeoutError as error:
            raise AnswerError(
                "no answer from the signer yet"
                if self._signer
                else "no node signs certificates now"
            ) from error

    async def _pause(self, service: str, seconds: float) -> None:
        """Between two tries, as long as it may help."""
        loop, bell = asyncio.get_running_loop(), self._bells[service]
        over_at_s = loop.time() + seconds
        session, signer = self._around.session(), self._signer
        while True:
            seen = bell.rings
            is_signer_new = self._signer not in (None, signer)
            if is_signer_new:
                signer = self._signer
                # What stands there is answered as it is: give the new signer the time for it.
                over_at_s = max(over_at_s, loop.time() + self._settings.answer_timeout_s)
            left_s = over_at_s - loop.time()
            if self._around.session() != session or self._is_worth_trying(
                service, is_over=left_s <= 0, is_signer_new=is_signer_new
            ):
                return
            await bell.wait(seen, min(left_s, LOOK_S) if left_s > 0 else LOOK_S)

    def _is_worth_trying(self, service: str, *, is_over: bool, is_signer_new: bool) -> bool:
        pending = self._outbox.get(service)
        if pending is None:
            return is_over or is_signer_new
        if pending.is_answered:
            return True
        if self._signer is None:
            # Putting it again would wake every node, and bring nothing.
            return False
        age_s = asyncio.get_running_loop().time() - pending.sent_at_s
        return is_over or (is_signer_new and age_s > STALE_REQUEST_S)

    def _backoff(self) -> Callable[[RetryCallState], float]:
        settings = self._settings
        grows = Backoff(settings.retry_initial_s, settings.retry_max_s, self._random)
        grows_for_store = Backoff(settings.retry_initial_s, STORE_RETRY_MAX_S, self._random)

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return (grows_for_store if isinstance(error, StoreError) else grows)(state)

        return wait

    def _note_failure(self, service: str, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if self.failures.get(service) != str(error):
            log.warning("no certificate for %s: %s", service, error)
            self.failures[service] = str(error)
            self._changed()
