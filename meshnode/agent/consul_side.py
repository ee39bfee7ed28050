"""Everything of the agent that needs Consul, from the first contact on: watches, registration, status, certificates.

The loop tells it what to say; what Consul says comes to the loop as events. Nothing here compiles.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from catalog import (
    CatalogError,
    Change,
    Compiled,
    ConsulClient,
    History,
    KvUpdate,
    NodeFacts,
    NodeRegistration,
    Problem,
    Registration,
    SessionKeeper,
    StatusWriter,
    Update,
    Watches,
)
from certs import Builtin, CertificateProblem, CertificateSettings, Identity, NodeKey

from .. import VERSION
from ..config import Folders, Settings
from .events import (
    CertificatesChanged,
    ConsulComplete,
    ConsulSaid,
    Event,
    IdentityGone,
    IdentityIssued,
    OwnProblem,
)
from .facts import Me, node_facts
from .history import make_history_writer, read_history
from .status_of import as_dialled, status_of
from .traffic import Traffic
from .view import View

CA_PREFIX = "meshnode/ca/"
STATUS_PREFIX = "meshnode/status/"
PEOPLES = "mesh/"
NODE_SERVICE = "meshnode"
EDGE = "edge"


class ConsulSide:
    """Made once it is known who this node is; `run()` works until it is cancelled."""

    def __init__(
        self,
        settings: Settings,
        folders: Folders,
        client: ConsulClient,
        me: Me,
        post: Callable[[Event], None],
        stats: Callable[[], Awaitable[Mapping[str, Any]]],
    ) -> None:
        """`post` takes events for the loop, `stats` reads the proxy's counters. Raises CertificateError when the node's key can not be used."""
        self.me = me
        self.client = client
        self._settings = settings
        self._admin = as_dialled(settings.admin_address, me.address)
        self._post = post
        source = random.Random()
        node_key = NodeKey.load_or_create(folders.node_key)
        self._watches = Watches(client, me.node, self._told, jitter=source)
        self._registration = Registration(
            client,
            registration_of(settings),
            on_trouble=lambda error: post(trouble("registration", error)),
            jitter=source,
        )
        self._may_register = asyncio.Event()
        self._sessions = SessionKeeper(
            client,
            name=node_key.session_name,
            node=me.node,
            path=folders.session,
            on_trouble=lambda error: post(trouble("session", error)),
            jitter=source,
        )
        self._status = StatusWriter(
            client,
            self._sessions,
            me.node,
            public_key=node_key.public_key,
            sign=node_key.sign,
            on_trouble=lambda error: post(trouble("status", error)),
            jitter=source,
        )
        self._provider = make_provider(
            settings,
            folders,
            client,
            me,
            node_key,
            session=lambda: self._sessions.id,
            post=post,
            on_elected=self._elected,
        )
        self._traffic = Traffic(stats, lambda: self._provider.is_elected)
        self._has_changed = False
        """Something under `mesh/`, since the loop last told how the node is."""
        self._history = make_history_writer(
            client, me.node, self._provider, self._traffic,
            on_trouble=lambda error: post(trouble("history", error)), jitter=source,
        )  # fmt: skip
        self._sessions.subscribe(self._provider.wake)

    @property
    def trust_domain(self) -> str | None:
        return self._provider.trust_domain

    @property
    def is_signer(self) -> bool:
        """Whether this node signs the mesh's certificates now."""
        return self._provider.is_elected

    def certificate_problems(self) -> tuple[CertificateProblem, ...]:
        return self._provider.problems()

    def facts(self) -> NodeFacts:
        return node_facts(self._settings, self.me, self.trust_domain)

    async def history(self) -> History | None:
        """All of it that counts; None before the mesh's root is known. Raises CatalogError."""
        return await read_history(self.client, self._provider)

    def _elected(self) -> None:
        self._traffic.mark()
        self._history.wake()

    def _told(self, update: Update) -> None:
        """History sees each reading: of two that wait for the loop, the newer replaces the other."""
        self._post(ConsulSaid(update))
        if (
            self._settings.certificates_signer
            and isinstance(update, KvUpdate)
            and update.prefix == PEOPLES
        ):
            self._has_changed = True
            self._history.saw(update)

    def said(self, update: Update) -> None:
        """What nodes wrote: it concerns certificates and our own status, never the table."""
        if not isinstance(update, KvUpdate):
            return
        if update.prefix == CA_PREFIX:
            self._provider.update({entry.key: entry for entry in update.entries})
        elif update.prefix == STATUS_PREFIX:
            self._status.seen(update.entries)

    def compiled(self, compiled: Compiled) -> None:
        """Before it is sent: whose instances must be known."""
        self._watches.name_services(compiled.named_services)

    def tell(self, view: View, compiled: Compiled, changes: tuple[Change, ...]) -> None:
        """After it was sent: who needs certificates, how this node is, and what its traffic was up to a change."""
        if self._has_changed:
            self._has_changed = False
            # Not before: the proxy would write its counters, megabytes of them, in front of the new table.
            self._traffic.mark()
        if not compiled.local_services or view.is_mesh_open:
            self._may_register.set()
        self._provider.want(frozenset(compiled.local_services) | self._edge(view))
        self._status.offer(status_of(view, compiled, changes, self._admin))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watches.run(), name="watches")
            group.create_task(self._register(), name="registration")
            group.create_task(self._sessions.run(), name="session")
            group.create_task(self._status.run(), name="status")
            group.create_task(self._provider.run(), name="certificates")
            if self._settings.certificates_signer:
                group.create_task(self._history.run(), name="history")
                group.create_task(self._traffic.run(), name="traffic")
            group.create_task(self._announce_complete(), name="first answers")

    async def _is_registered(self) -> bool:
        """From an earlier run: the others count on it, so its heartbeat waits for nothing."""
        try:
            return await self.client.local_service(NODE_SERVICE) is not None
        except CatalogError:
            return False

    def _edge(self, view: View) -> frozenset[str]:
        """The edge asks for its certificate once it is registered: before that it would only be refused."""
        is_asked = self._registration.registered.is_set() or EDGE in dict(view.certificates)
        return frozenset({EDGE} if self._settings.edge_address and is_asked else ())

    async def _register(self) -> None:
        """Once this node's services can be called through the mesh: from then on others do not call them otherwise."""
        if not await self._is_registered():
            await self._may_register.wait()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._registration.run())
            await self._registration.registered.wait()
            self._post(CertificatesChanged())

    async def _announce_complete(self) -> None:
        await self._watches.first_complete.wait()
        self._post(ConsulComplete())


def make_provider(
    settings: Settings,
    folders: Folders,
    client: ConsulClient,
    me: Me,
    node_key: NodeKey,
    *,
    session: Callable[[], str | None],
    post: Callable[[Event], None],
    on_elected: Callable[[], None] = lambda: None,
) -> Builtin:
    """The mesh's own CA as this node sees it. At a cold start it is made only to read what is kept."""

    async def services_of(node: str) -> frozenset[str]:
        found = await client.services_on_node(node, consistent=True)
        return frozenset(instance.service for instance in found)

    return Builtin(
        store=client,
        store_errors=(CatalogError,),
        node=me.node,
        datacenter=me.datacenter,
        node_key=node_key,
        session=session,
        services_of=services_of,
        state_folder=folders.state,
        key_encryption_key_file=settings.certificates_key_encryption_key_file,
        settings=CertificateSettings(
            leaf_ttl_s=int(settings.certificates_leaf_ttl_s),
            trust_domain=settings.certificates_trust_domain,
            root_pins=(settings.certificates_root_pin,) if settings.certificates_root_pin else (),
            excluded_services=settings.certificates_excluded_services,
        ),
        is_signer=settings.certificates_signer,
        on_identity=lambda identity: post(issued(identity)),
        on_removed=lambda name: post(IdentityGone(name)),
        on_problems=lambda: post(CertificatesChanged()),
        on_elected=on_elected,
        clock=lambda: datetime.now(UTC),
        random=random.Random(),
    )


def issued(identity: Identity) -> IdentityIssued:
    return IdentityIssued(
        identity.name, int(identity.not_after.timestamp()), identity.to_boundary()
    )


def registration_of(settings: Settings) -> NodeRegistration:
    """What the catalog shall say of this node: the Consul node's address, unless we listen on one alone, or advertise one."""
    host, _, port = settings.mesh_address.rpartition(":")
    bare = host.strip("[]")
    is_any = ipaddress.ip_address(bare).is_unspecified
    advertised, advertised_port = settings.mesh_advertise or ("", None)
    edge = settings.edge_address
    return NodeRegistration(
        mesh_port=advertised_port or int(port),
        address=advertised or ("" if is_any else bare),
        edge_port=None if edge is None else int(edge.rpartition(":")[2]),
        meta=(("meshnode-version", VERSION),),
    )


def trouble(subject: str, error: CatalogError | None) -> OwnProblem:
    """What Consul refuses this node, as a problem; None: it does not any more."""
    if error is None:
        return OwnProblem(subject, None)
    return OwnProblem(subject, Problem(key=subject, index=0, severity="error", message=str(error)))
