"""The elected signer: answers the requests that stand in KV. Believes nothing in a request that Consul does not confirm."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from .authority import Authority, certificate_fingerprint
from .backoff import Backoff
from .bell import Bell
from .checks import check_node, check_request, check_service
from .custody import Custody
from .documents import RootsDocument
from .election import Election
from .errors import AuthorityError, DocumentError, RequestError, StoreError
from .history_key import HistoryKey
from .keys import REQUESTS_PREFIX, ROOTS_KEY, SIGNER_KEY, answer_key, split_request_key
from .provider import CertificateProblem
from .request import Answer, nonce_of
from .settings import CLOCK_TOLERANCE_S, CertificateSettings
from .store import Entry, GuardedStore, SessionInfo
from .sweep import leftovers
from .trust import Trust

log = logging.getLogger(__name__)

ServicesOf = Callable[[str], Awaitable[frozenset[str]]]

# A free lock is looked for this often: the end of a lock delay wakes no watch.
CANDIDATE_PAUSE_S = 1.0
# Otherwise a step comes from an update; this one is for leftovers and a key file that was copied here.
IDLE_PAUSE_S = 30.0
STORE_RETRY_S = (0.2, 10.0)
RESIGN_TIMEOUT_S = 2.0
# A nonce is remembered while the request's time would still be taken; 100,000 are 10 MB and 160 requests a second.
NONCE_MEMORY_S = 2 * CLOCK_TOLERANCE_S
MAX_NONCES = 100_000


@dataclass(slots=True)
class _Proofs:
    """What Consul says about one node, read at most once for the requests answered together."""

    store: GuardedStore
    services_of: ServicesOf
    sessions: dict[str, SessionInfo | None] = field(default_factory=dict)
    services: dict[str, frozenset[str]] = field(default_factory=dict)

    async def session(self, session: str) -> SessionInfo | None:
        if session not in self.sessions:
            self.sessions[session] = await self.store.session_info(session)
        return self.sessions[session]

    async def services_on(self, node: str) -> frozenset[str]:
        if node not in self.services:
            call = self.services_of(node)
            self.services[node] = await self.store.guard(f"reading the services of {node}", call)
        return self.services[node]


class Signer:
    """One node's signer; it works only while it is elected and the CA is open here."""

    def __init__(  # noqa: PLR0913  (everything from outside is handed in, and named)
        self,
        *,
        store: GuardedStore,
        node: str,
        datacenter: str,
        services_of: ServicesOf,
        settings: CertificateSettings,
        custody: Custody,
        election: Election,
        trust: Callable[[], Trust | None],
        changed: Callable[[], None],
        elected: Callable[[], None],
        clock: Callable[[], datetime],
        random: Random,
    ) -> None:
        self._store = store
        self._node = node
        self._datacenter = datacenter
        self._services_of = services_of
        self._settings = settings
        self._custody = custody
        self._election = election
        self._trust = trust
        self._clock = clock
        self._random = random
        self._changed = changed
        self._elected = elected
        self._history_key: tuple[Authority, HistoryKey] | None = None
        self._bell = Bell()
        self._entries: Mapping[str, Entry] | None = None
        self._handled: dict[str, tuple[int, float]] = {}
        """Of each request that was answered or passed over: its ModifyIndex, and when, by the loop's clock."""
        self._nonces: dict[str, float] = {}
        """Nonces that were answered, oldest first, behind the key each stood under, and when, by the loop's clock.

        With the key: else a node that reads another's request could use its nonce up before it is answered."""
        self._problems: dict[str, str] = {}

    @property
    def is_elected(self) -> bool:
        return self._election.is_elected

    @property
    def session(self) -> str | None:
        """The session that holds the lock; None while this node is not elected."""
        return self._election.session

    def history_key(self) -> HistoryKey | None:
        """What history is signed with; None while this node is not elected. Raises AuthorityError."""
        authority = self._custody.authority
        if authority is None or not self._election.is_elected:
            return None
        now = self._clock()
        if (
            self._history_key is None
            or self._history_key[0] is not authority
            or now >= self._history_key[1].renew_at
        ):
            made = HistoryKey.make(authority, self._node, now=now, ttl_s=self._settings.leaf_ttl_s)
            self._history_key = authority, made
        return self._history_key[1]

    def update(self, entries: Mapping[str, Entry]) -> None:
        """All keys under meshnode/ca/, whole."""
        self._entries = entries
        self._bell.ring()

    def wake(self) -> None:
        self._bell.ring()

    def problems(self) -> tuple[CertificateProblem, ...]:
        messages = [self._custody.problem, *self._problems.values()]
        return tuple(CertificateProblem("ca", message) for message in messages if message)

    async def run(self) -> None:
        """Until cancelled; then the lock is given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hold())
                group.create_task(self._work())
        finally:
            try:
                async with asyncio.timeout(RESIGN_TIMEOUT_S):
                    await self._election.resign()
            except TimeoutError:
                log.warning("the signer's lock is left to its session's end")

    async def _hold(self) -> None:
        """Renews the session apart from the work: a thousand requests must not let it end."""
        while True:
            await asyncio.sleep(self._settings.signer_ttl_s / 3)
            try:
                is_alive = await self._election.renew()
            except StoreError as error:
                log.info("%s", error)
                continue
            if not is_alive:
                log.warning("the signer's session is gone, and with it the lock")
                self._bell.ring()

    async def _work(self) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(StoreError),
            wait=Backoff(*STORE_RETRY_S, self._random),
            sleep=self._pause,
            before_sleep=self._note_store,
        )
        while True:
            seen = self._bell.rings
            pause_s: float = await retrying(self._step)
            self._problems.pop("store", None)
            self._changed()
            await self._bell.wait(seen, pause_s)

    async def _pause(self, seconds: float) -> None:
        await self._bell.wait(self._bell.rings, seconds)

    def _note_store(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._problems["store"] = f"the signer cannot work: {error}"
        self._changed()

    async def _step(self) -> float:
        """One look at everything; how long until the next without a wake. Raises StoreError."""
        entries = self._entries
        if entries is None:
            return IDLE_PAUSE_S
        authority = await self._custody.step(entries, self._trust())
        if authority is None or not self._is_pinned(authority):
            await self._election.resign()
            return IDLE_PAUSE_S
        was_elected = self._election.is_elected
        if not await self._election.step(entries.get(SIGNER_KEY)):
            return CANDIDATE_PAUSE_S * (1 + self._random.random())
        if not was_elected:
            self._elected()
        await self._keep_roots(entries.get(ROOTS_KEY), authority)
        await self._answer_all(entries, authority)
        await self._sweep(entries)
        return IDLE_PAUSE_S

    def _is_pinned(self, authority: Authority) -> bool:
        """A CA that this very node does not trust must not be served by it."""
        trust = self._trust()
        if trust is None or authority.root_fingerprint in trust.fingerprints:
            self._problems.pop("pin", None)
            return True
        self._problems["pin"] = (
            "the CA in meshnode/ca/key is not the one this node has pinned: it does not sign with it"
        )
        return False

    async def _keep_roots(self, entry: Entry | None, authority: Authority) -> None:
        """`meshnode/ca/roots` names the signer's root, whoever wrote there."""
        wanted = self._custody.roots()
        if wanted is None or (entry and _names_root(entry.value, authority.root_fingerprint)):
            return
        index = entry.modify_index if entry else 0
        if await self._store.kv_put(ROOTS_KEY, wanted.to_bytes(), cas=index) and entry:
            log.warning("%s did not name the CA's root; it does again", ROOTS_KEY)

    async def _answer_all(self, entries: Mapping[str, Entry], authority: Authority) -> None:
        proofs = _Proofs(self._store, self._services_of)
        for key in sorted(key for key in entries if key.startswith(REQUESTS_PREFIX)):
            entry = entries[key]
            if self._handled.get(key, (0, 0.0))[0] == entry.modify_index:
                continue
            if not self._election.is_elected:
                return
            await self._answer(entry, entries, authority, proofs)
            self._handled[key] = (entry.modify_index, asyncio.get_running_loop().time())

    async def _answer(
        self, entry: Entry, entries: Mapping[str, Entry], authority: Authority, proofs: _Proofs
    ) -> None:
        nonce, path = nonce_of(entry.value), split_request_key(entry.key)
        if nonce is None or path is None:
            log.warning("%s holds no request; it is passed over", entry.key)
            return
        key = answer_key(*path)
        standing = entries.get(key)
        if standing is not None and nonce_of(standing.value) == nonce:
            return  # The last signer answered it.
        answer = await self._decide(entry, nonce, authority, proofs)
        await self._store.kv_put(key, answer.to_bytes())
        self._remember(f"{entry.key} {nonce}")

    async def _decide(
        self, entry: Entry, nonce: str, authority: Authority, proofs: _Proofs
    ) -> Answer:
        """A chain, or a refusal with its sentence. Raises StoreError."""
        now = self._clock()
        try:
            wish = check_request(
                entry.key,
                entry.value,
                trust_domain=authority.trust_domain,
                datacenter=self._datacenter,
                settings=self._settings,
                now=now,
                seen=self._nonces,
            )
            request = wish.request
            check_node(request, await proofs.session(request.session))
            check_service(request, await proofs.services_on(request.node))
            ttl_s = self._settings.leaf_ttl_s
            chain = authority.issue(wish.public_key, wish.spiffe_id, now=now, ttl_s=ttl_s)
        except RequestError as error:
            log.warning("%s is refused: %s", entry.key, error)
            return Answer(nonce, refused=str(error), signer=self._node)
        except AuthorityError as error:
            self._problems["authority"] = str(error)
            return Answer(nonce, refused=str(error), signer=self._node)
        self._problems.pop("authority", None)
        log.info("issued a certificate for %s on %s", request.service, request.node)
        return Answer(nonce, request.csr_sha256, chain, signer=self._node)

    def _remember(self, seen: str) -> None:
        now = asyncio.get_running_loop().time()
        self._nonces[seen] = now
        for old, at in list(self._nonces.items()):
            if now - at <= NONCE_MEMORY_S and len(self._nonces) <= MAX_NONCES:
                break
            del self._nonces[old]

    async def _sweep(self, entries: Mapping[str, Entry]) -> None:
        """Takes away what nobody waits for any more, so that what every node watches stays small."""
        self._handled = {key: seen for key, seen in self._handled.items() if key in entries}
        now = asyncio.get_running_loop().time()
        left_after_s = self._settings.left_after_s
        for entry in leftovers(entries, self._handled, now_s=now, left_after_s=left_after_s):
            await self._store.kv_delete(entry.key, cas=entry.modify_index)


def _names_root(value: bytes, fingerprint: str) -> bool:
    try:
        roots = RootsDocument.from_bytes(value).roots
    except DocumentError:
        return False
    return fingerprint in {certificate_fingerprint(root) for root in roots}
