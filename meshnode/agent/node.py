"""The parts of a running agent, put together in the order that makes a cold start without Consul serve.

What is saved is given to the proxy first; only then is Consul asked who this node is.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from catalog import (
    CatalogError,
    ConsulClient,
    ConsulDenied,
    History,
    Problem,
    Snapshot,
    SnapshotFileError,
    load_policies,
    load_snapshot,
    policies_to_json,
    save_snapshot,
)
from certs import CertificateError, NodeKey
from observability import SpanRing

from ..admin import AdminServer
from ..candidate.promise import Wish
from ..config import Folders, Settings
from ..config.door import door
from ..errors import ProxyUnreachable, StartError
from ..proxy import Command, RunningProxy, SpanCollector, Supervisor
from . import ports, rights
from .consul_side import ConsulSide, issued, make_provider
from .delivery import Delivery
from .draining import DrainCounter
from .edge_certificates import EdgeCertificates
from .edge_secrets import EdgeKeeper
from .events import (
    ConsulReached,
    DrainsCounted,
    Event,
    IdentityIssued,
    OwnProblem,
    ProxyDown,
    ProxyUp,
)
from .explaining import explain
from .facts import Me
from .knowledge import Clock, Knowledge
from .loop import AgentLoop
from .mailbox import Mailbox
from .notify import VARIABLE, Notifier
from .planning import plan
from .preflight import check_ports
from .retrospect import Retrospect
from .saver import Saver, write_private
from .telemetry import Telemetry
from .view import View

# Consul is asked again after this at first, and ever later; never in step with other nodes.
FIRST_RETRY_S = 0.25
LAST_RETRY_S = 1.0
ASK_TIMEOUT_S = 1.0
MICROSECONDS = 1_000_000
# A table with so much more than when it was last put out of the collector's sight is put there again.
FROZEN_GROWTH = 1.25
# Of fewer the collector sees nothing of note.
FROZEN_LEAST = 100

_log = logging.getLogger("meshnode.agent")


class Agent:
    """The parts of a running agent. `run()` is its whole life."""

    def __init__(self, settings: Settings, folders: Folders, token: str | None) -> None:
        self._settings = settings
        self._folders = folders
        self._clock = Clock(time.monotonic, time.time)
        self._mailbox = Mailbox()
        self._notifier = Notifier(os.environ.get(VARIABLE))
        self._client = ConsulClient(settings.consul_address, token)
        # Higher than what an earlier agent's ring counted to, so that who asks on misses nothing.
        self._ring = SpanRing(first_sequence=int(self._clock.unix() * MICROSECONDS))
        self._telemetry = Telemetry(self._ring)
        self._side: ConsulSide | None = None
        self._ends: dict[str, int] = {}
        self._frozen = 0
        """So many routes and clusters the collector need not look at, with all that was there before them."""
        self._saver = Saver(self._saved)
        self._delivery = Delivery(_load(folders))
        first, last = settings.outbound_ports
        self._knowledge = Knowledge(
            self._clock,
            ports.load(folders.ports, first, last),
            load_policies(folders.policies),
        )
        self._saved_ports = self._knowledge.ports
        self._saved_policies = self._knowledge.policies
        self._supervisor = Supervisor(
            Command(
                settings.proxy_binary,
                folders.control_socket,
                folders.proxy_log,
                settings.proxy_threads,
                settings.log_level,
            ),
            on_up=self._proxy_up,
            on_down=lambda sentence: self._mailbox.post(ProxyDown(sentence)),
        )
        self._admin = AdminServer(
            settings.admin_address,
            snapshot=self._proxy_snapshot,
            metrics=self._metrics,
            ring=self._ring,
            explain=self._explain,
            plan=self._plan,
        )
        self._drains = DrainCounter(
            self._stats, lambda counts: self._mailbox.post(DrainsCounted(counts))
        )
        self._retrospect = Retrospect(self._history, self._delivery, self._mailbox.post)
        self._edge = EdgeCertificates()
        self._keeper = EdgeKeeper(
            settings, folders, node=self._name, post=self._mailbox.post, clock=self._clock.unix
        )
        self._loop = AgentLoop(
            self._mailbox,
            self._knowledge,
            self._delivery,
            self._clock,
            port_range=settings.outbound_ports,
            on_applied=self._applied,
            on_view=self._show,
            restarts=lambda: self._supervisor.restarts,
            want_past=self._retrospect.want,
            edge=self._edge,
        )

    async def run(self) -> None:
        await check_ports(self._settings, self._folders)
        # Before the first table, so that nothing is judged, or shown, without them.
        self._edge.secrets = self._keeper.read()
        try:
            async with self._admin, asyncio.TaskGroup() as group:
                group.create_task(self._supervisor.run(), name="proxy")
                group.create_task(self._loop.run(), name="loop")
                group.create_task(self._saver.run(), name="saver")
                group.create_task(self._keeper.run(), name="edge certificates")
                group.create_task(self._telemetry.run(), name="telemetry")
                group.create_task(self._drains.run(), name="drains")
                group.create_task(self._retrospect.run(), name="retrospect")
                collector = SpanCollector(self._folders.control_socket, self._telemetry.offer)
                group.create_task(collector.run(), name="spans")
                self._load_identities()
                await self._loop.first_proxy.wait()
                await self._with_consul()
        finally:
            await self._saver.flush()
            await self._telemetry.close()
            await self._client.close()

    async def _with_consul(self) -> None:
        me = await self._reach()
        self._saver.offer("node.json", lambda: write_private(self._folders.me, me.to_json()))
        self._telemetry.is_node(me.node)
        self._side = ConsulSide(
            self._settings, self._folders, self._client, me, self._post, self._stats
        )
        self._mailbox.post(ConsulReached(self._side))
        await self._side.run()

    async def _reach(self) -> Me:
        """Who this node is, as soon as Consul says so. Without a table to serve meanwhile, a token that may not ask ends us."""
        wait_s, told = FIRST_RETRY_S, ""
        while True:
            try:
                me = Me.of(await self._client.node_self())
                await self._check_rights(me)
            except ConsulDenied as error:
                if self._delivery.in_force is None:
                    raise
                sentence = str(error)
            except CatalogError as error:
                sentence = str(error)
            else:
                _log.info("this is node %s in datacenter %s", me.node, me.datacenter)
                _log.info("%s", door(self._settings))
                return me
            if sentence != told:
                _log.warning("%s", sentence)
                # Whoever waits for us to be ready need not wait for Consul as well.
                self._notifier.ready(f"waits: {sentence}")
                told = sentence
            await asyncio.sleep(wait_s * (0.5 + random.random() / 2))
            wait_s = min(wait_s * 2, LAST_RETRY_S)

    async def _check_rights(self, me: Me) -> None:
        lines = await rights.missing(self._client, self._settings, me)
        if not lines:
            return
        if self._delivery.in_force is None:
            raise StartError(rights.sentence(lines))
        _log.error("%s", rights.sentence(lines))
        self._mailbox.post(OwnProblem("token", rights.problem(lines)))

    def _name(self) -> str:
        """The node's name, as far as it is known."""
        me = self._side.me if self._side else Me.load(self._folders.me)
        return me.node if me else ""

    def _load_identities(self) -> None:
        """What is kept from before: a cold start with Consul away has certificates at once."""
        me = Me.load(self._folders.me)
        if me is None:
            return
        try:
            node_key = NodeKey.load_or_create(self._folders.node_key)
            provider = make_provider(
                self._settings, self._folders, self._client, me, node_key,
                session=lambda: None, post=lambda _: None,
            )  # fmt: skip
            kept = provider.load()
        except CertificateError as error:
            _log.warning("the kept identities can not be used: %s", error)
            return
        for identity in kept:
            event = issued(identity)
            self._ends[event.name] = event.not_after_unix_s
            self._mailbox.post(event)

    def _post(self, event: Event) -> None:
        """What Consul's side has for the loop; a certificate that is new is told too."""
        if (
            isinstance(event, IdentityIssued)
            and self._ends.get(event.name) != event.not_after_unix_s
        ):
            self._ends[event.name] = event.not_after_unix_s
            self._telemetry.issued(event.name, event.not_after_unix_s, self._clock.unix())
        self._mailbox.post(event)

    def _proxy_up(self, proxy: RunningProxy) -> None:
        self._mailbox.post(ProxyUp(proxy))
        self._telemetry.proxy_up(proxy, self._clock.unix())

    def _applied(self, index: int, table: Snapshot, began: float, took_s: float) -> None:
        _log.info(
            "generation %d in force: index %d, %d routes, %.1f ms",
            table.generation, index, len(table.resources.get("routes", {})), took_s * 1000,
        )  # fmt: skip
        self._freeze(table)
        self._saver.offer("snapshot.json", lambda: save_snapshot(self._folders.snapshot, table))
        if self._knowledge.ports is not self._saved_ports:
            self._saved_ports = self._knowledge.ports
            content = self._saved_ports.to_json()
            self._saver.offer("ports.json", lambda: write_private(self._folders.ports, content))
        if self._knowledge.policies.in_force != self._saved_policies.in_force:
            self._saved_policies = self._knowledge.policies
            written = policies_to_json(self._saved_policies)
            self._saver.offer(
                "policies.json", lambda: write_private(self._folders.policies, written)
            )
        self._telemetry.applied(index, table.generation, began, took_s)

    def _freeze(self, table: Snapshot) -> None:
        """Looking through 10,000 routes for cycles, which they have none of, took 200 ms in the middle of a change.

        The first table takes what the start made along: all modules, which never go.
        """
        size = sum(len(table.resources.get(name, {})) for name in ("routes", "clusters"))
        if not self._frozen or size > self._frozen * FROZEN_GROWTH:
            self._frozen = max(size, FROZEN_LEAST)
            gc.freeze()

    def _show(self, view: View) -> None:
        self._admin.view = view
        self._drains.want(frozenset((one.service, one.id) for one in view.draining))
        if view.is_ready:
            # Before Consul is reached the node serves what was saved, and has no name yet.
            self._notifier.ready(f"serves as {view.node}" if view.node else "serves what was saved")

    def _saved(self, name: str, error: Exception | None) -> None:
        """The node goes on without its disk, and says so: a start without Consul would serve what is old."""
        problem = None
        if error is not None:
            message = f"{name} can not be saved in {self._folders.state}: {error}"
            problem = Problem(key="state folder", index=0, severity="error", message=message)
        self._mailbox.post(OwnProblem(f"saving {name}", problem))

    async def _history(self) -> History | None:
        return None if self._side is None else await self._side.history()

    async def _proxy_snapshot(self) -> bytes:
        return await self._proxy().client.snapshot()

    async def _explain(self, document: dict[str, Any]) -> dict[str, Any]:
        client = self._proxy().client
        return await explain(client, document, self._knowledge, self._delivery, self._side)

    async def _plan(self, wish: Wish, asked: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return await plan(
            wish,
            asked,
            client=self._proxy().client,
            consul=self._client,
            knowledge=self._knowledge,
            delivery=self._delivery,
            side=self._side,
            accepted=self._loop.accepted,
            reading=self._ring.reading(),
        )

    async def _metrics(self) -> str:
        proxy = self._delivery.proxy
        stats = None if proxy is None else await proxy.client.stats()
        return self._telemetry.metrics(
            stats,
            self._admin.view,
            self._client.cost,
            compiles=self._knowledge.compiles,
            is_signer=None if self._side is None else self._side.is_signer,
            now=self._clock.unix(),
        )

    async def _stats(self) -> dict[str, Any]:
        return await self._proxy().client.stats()

    def _proxy(self) -> RunningProxy:
        if self._delivery.proxy is None:
            raise ProxyUnreachable(self._folders.control_socket, "it is being started")
        return self._delivery.proxy


def _load(folders: Folders) -> Snapshot | None:
    """The last good table; a damaged or newer file is named and not used."""
    try:
        return load_snapshot(folders.snapshot)
    except SnapshotFileError as error:
        _log.error("%s", error)
        return None
