"""The mesh's own CA, shared through the key-value store: this node's identities, and its part as a signer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from random import Random

from .bell import Bell
from .custody import Custody
from .documents import RootsDocument
from .election import Election, holder_of
from .history_judge import HistoryJudge
from .history_key import HistoryKey
from .identity import Identity
from .kept import Shelf
from .keyfile import KeyFile
from .keys import AUTHORITY_KEY, SIGNER_KEY
from .node_key import NodeKey
from .outbox import Outbox
from .pinned import PIN_FILE, PinnedTrust
from .provider import CertificateProblem
from .requester import Requester, Surroundings
from .settings import CertificateSettings
from .signer import ServicesOf, Signer
from .standing import kept_problems, no_signer_sentence, root_problem, service_problem
from .store import Entry, GuardedStore, Store

IDENTITIES_FOLDER = "identities"
KEY_ENCRYPTION_KEY_FILE = "ca-key-encryption-key.json"
SIGNER_SESSION_FILE = "signer-session.json"

HOUSEKEEPING_S = 30.0


class Builtin:
    """A Provider (provider.py says what each call does).

    `store` is the key-value store, `store_errors` the kinds of error it raises; `session` gives the node's living
    status session, made with `node_key.session_name` as its Name; `services_of` reads, consistently, which services
    are registered on a node. `on_identity` gets each new identity and each one wanted again, `on_removed` the name of
    one that is not wanted any more, `on_problems` is told that `problems()`, the trust domain or the roots changed,
    `on_elected` that this node is the signer now.
    """

    def __init__(  # noqa: PLR0913  (everything from outside is handed in, and named)
        self,
        *,
        store: Store,
        node: str,
        datacenter: str,
        node_key: NodeKey,
        session: Callable[[], str | None],
        services_of: ServicesOf,
        state_folder: Path,
        on_identity: Callable[[Identity], None],
        on_removed: Callable[[str], None],
        clock: Callable[[], datetime],
        random: Random,
        is_signer: bool = True,
        key_encryption_key_file: Path | None = None,
        settings: CertificateSettings | None = None,
        store_errors: tuple[type[Exception], ...] = (OSError,),
        on_problems: Callable[[], None] = lambda: None,
        on_elected: Callable[[], None] = lambda: None,
    ) -> None:
        settings = settings or CertificateSettings()
        self._settings = settings
        guarded = GuardedStore(store, store_errors)
        self.key_encryption_key_file = (
            key_encryption_key_file or state_folder / KEY_ENCRYPTION_KEY_FILE
        )
        self._bell = Bell()
        self._on_identity = on_identity
        self._on_removed = on_removed
        self._on_problems = on_problems
        self._clock = clock
        self._is_signer = is_signer
        self._pinned = PinnedTrust(state_folder / PIN_FILE, settings)
        self._shelf = Shelf(state_folder / IDENTITIES_FOLDER, datacenter)
        self._requester = Requester(
            Outbox(guarded, node, node_key),
            Surroundings(session, lambda: self._pinned.trust, self._shelf.get),
            datacenter=datacenter,
            settings=settings,
            take=self._take,
            changed=self._bell.ring,
            clock=clock,
            random=random,
        )
        self._signer = Signer(
            store=guarded,
            node=node,
            datacenter=datacenter,
            services_of=services_of,
            settings=settings,
            custody=Custody(
                guarded,
                node,
                settings,
                KeyFile(self.key_encryption_key_file),
                on_created=self._pin_created,
                clock=clock,
            ),
            election=Election(guarded, node, settings, state_folder / SIGNER_SESSION_FILE),
            trust=lambda: self._pinned.trust,
            changed=self._bell.ring,
            elected=on_elected,
            clock=clock,
            random=random,
        )
        self._entries: Mapping[str, Entry] | None = None
        self._wanted: frozenset[str] | None = None
        self._parked: dict[str, float] = {}
        """Identities that are not wanted, and until when they are held, by the loop's clock."""
        self._no_signer_since_s: float | None = None
        self._last_problems: tuple[CertificateProblem, ...] = ()
        self._is_loaded = False
        self._judge: HistoryJudge | None = None

    @property
    def trust_domain(self) -> str | None:
        trust = self._pinned.trust
        return trust.trust_domain if trust else None

    @property
    def roots_pem(self) -> str | None:
        trust = self._pinned.trust
        return trust.roots_pem if trust else None

    @property
    def identities(self) -> tuple[Identity, ...]:
        """The wanted ones that are held."""
        return tuple(one for one in self._shelf if self._wanted is None or one.name in self._wanted)

    @property
    def is_elected(self) -> bool:
        """Whether this node signs the mesh's certificates now."""
        return self._signer.is_elected

    @property
    def signer_session(self) -> str | None:
        """The session by which this node holds SIGNER_KEY; None while it is not elected."""
        return self._signer.session

    def history_key(self) -> HistoryKey | None:
        """What the elected node signs history with; None while it is not elected. Raises AuthorityError."""
        return self._signer.history_key()

    def history_judge(self) -> HistoryJudge | None:
        """Who says which entries of history count; None before the first contact."""
        trust = self._pinned.trust
        if trust is not None and (self._judge is None or self._judge.trust != trust):
            self._judge = HistoryJudge(trust)
        return self._judge

    def load(self) -> list[Identity]:
        if not self._is_loaded:
            self._is_loaded = True
            self._pinned.load()
            if self._pinned.trust is not None:
                self._shelf.load(self._pinned.trust)
        return list(self._shelf)

    async def run(self) -> None:
        self.load()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._requester.run())
            group.create_task(self._keep_house())
            # With a pin that cannot be read, a signer could make a second CA.
            if self._is_signer and not self._pinned.is_damaged:
                group.create_task(self._signer.run())

    def want(self, services: frozenset[str]) -> None:
        held = {identity.name for identity in self._shelf}
        before = held if self._wanted is None else self._wanted
        now_s = asyncio.get_running_loop().time()
        self._wanted = services
        for service in sorted((before & held) - services):
            self._parked[service] = now_s + self._settings.parked_s
            self._on_removed(service)
        for service in sorted(services & self._parked.keys()):
            del self._parked[service]
            identity = self._shelf.get(service)
            if identity is not None:
                self._on_identity(identity)
        self._requester.want(services)
        self._bell.ring()

    def update(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        if self._pinned.update(entries, now=self._clock()):
            self._spread_roots()
        self._requester.update(entries)
        self._signer.update(entries)
        self._bell.ring()

    def wake(self) -> None:
        self._requester.wake()
        self._signer.wake()
        self._bell.ring()

    def problems(self) -> tuple[CertificateProblem, ...]:
        now = self._clock()
        found = [CertificateProblem("ca", message) for message in self._pinned.problems]
        found += self._signer.problems()
        ending = root_problem(self._pinned.trust, now)
        found += [ending] if ending else []
        if self._is_signer_missed():
            entry = (self._entries or {}).get(AUTHORITY_KEY)
            sentence = no_signer_sentence(
                entry, self.key_encryption_key_file, is_signer=self._is_signer
            )
            found.append(CertificateProblem("ca", sentence))
        for service in sorted(self._wanted or ()):
            failure = self._requester.failures.get(service)
            problem = service_problem(service, self._shelf.get(service), failure, now)
            found += [problem] if problem else []
        return (*found, *kept_problems(self._shelf.problems))

    def _is_signer_missed(self) -> bool:
        since_s = self._no_signer_since_s
        if since_s is None:
            return False
        return asyncio.get_running_loop().time() - since_s >= self._settings.no_signer_after_s

    async def _keep_house(self) -> None:
        """Forgets what has been parked long enough, and tells of changed problems."""
        loop = asyncio.get_running_loop()
        while True:
            seen = self._bell.rings
            for service in [one for one, until_s in self._parked.items() if until_s <= loop.time()]:
                del self._parked[service]
                self._shelf.drop(service)
            is_signed_for = holder_of((self._entries or {}).get(SIGNER_KEY)) is not None
            if is_signed_for or self._entries is None:
                self._no_signer_since_s = None
            elif self._no_signer_since_s is None:
                self._no_signer_since_s = loop.time()
            problems = self.problems()
            if problems != self._last_problems:
                self._last_problems = problems
                self._on_problems()
            await self._bell.wait(seen, HOUSEKEEPING_S)

    async def _take(self, identity: Identity) -> None:
        self._shelf.put(identity)
        self._on_identity(identity)
        self._bell.ring()
        await self._shelf.save(identity)

    def _pin_created(self, roots: RootsDocument) -> None:
        if self._pinned.follow(roots, now=self._clock()):
            self._spread_roots()

    def _spread_roots(self) -> None:
        """The roots in force changed: to everything that waits for them, or shows them to a proxy."""
        trust = self._pinned.trust
        if trust is None:
            return
        for identity in self.identities:
            renewed = identity.with_roots(trust.roots_pem)
            self._shelf.put(renewed)
            self._on_identity(renewed)
        self._on_problems()
        self._requester.wake()
        self._signer.wake()
        self._bell.ring()
