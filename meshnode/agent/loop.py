"""The agent's one loop: takes what happened, compiles, sends, and only then tells others. Newest wins throughout.

The way from a watch's answer to the proxy is kept short: no disk, no Consul and no log line stands on it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from catalog import Compiled, NodeFacts, Problem, State

from ..candidate.deciding import Accepted
from ..explain import Known
from .delivery import Delivery
from .draining import Counts
from .edge_certificates import CertificateJudge, EdgeCertificates
from .events import (
    CertificatesChanged,
    ConsulComplete,
    ConsulReached,
    ConsulSaid,
    DrainsCounted,
    EdgeSecretsRead,
    Event,
    IdentityGone,
    IdentityIssued,
    OwnProblem,
    PastKnown,
    ProxyDown,
    ProxyUp,
)
from .gate import Gate
from .knowledge import Clock, Knowledge
from .mailbox import Mailbox
from .side import Side
from .telling import Applied, Telling
from .view import View

# A listener opens by itself once its identity is there, and a taken port is tried again: looked at this often at
# first, and ever less while nothing happens.
LOOK_S = 0.25
LOOK_MAX_S = 4.0
# A proxy that did not answer is asked again after this.
RETRY_S = 1.0
# Looking up 1,000 services takes 0.8 s; one that Consul can't tell about must not hold back the others for longer.
FIRST_PATIENCE_S = 2.0
COMPILER = "compiler"
GATE = "route tests"

_log = logging.getLogger("meshnode.agent")


WantPast = Callable[[State, NodeFacts, Known], None]
"""Asks for a PastKnown of this state, some time."""


class AgentLoop:
    """Owns the knowledge and the delivery; nobody else touches them."""

    def __init__(
        self,
        mailbox: Mailbox,
        knowledge: Knowledge,
        delivery: Delivery,
        clock: Clock,
        *,
        port_range: tuple[int, int],
        on_applied: Applied,
        on_view: Callable[[View], None],
        restarts: Callable[[], int],
        want_past: WantPast,
        edge: EdgeCertificates | None = None,
    ) -> None:
        """`on_applied` and `on_view` are called after the proxy has the table, in the event loop; `want_past` before."""
        self._edge = edge or EdgeCertificates()
        self._mailbox = mailbox
        self._knowledge = knowledge
        self._delivery = delivery
        self._gate = Gate(knowledge, delivery, clock)
        self._want_past = want_past
        self._clock = clock
        self._telling = Telling(
            knowledge, delivery, clock,
            port_range=port_range, on_applied=on_applied, on_view=on_view, restarts=restarts,
        )  # fmt: skip
        self._side: Side | None = None
        self._own_problems: dict[str, Problem] = {}
        self._drain_counts: Counts = {}
        self._is_first_proxy = True
        self._looks = 0
        self._first_compiled: float | None = None
        self.first_proxy = asyncio.Event()
        """Set once the first proxy was given what was saved."""

    @property
    def accepted(self) -> Accepted | None:
        """What route tests let through last."""
        return self._gate.accepted

    async def run(self) -> None:
        while True:
            events = await self._mailbox.take(self._timeout_s())
            if not events and self._telling.is_waiting:
                self._tell()
            else:
                await self.turn(events)

    async def turn(self, events: tuple[Event, ...]) -> None:
        """One round: what happened is applied, the proxy gets what follows, then it is told."""
        began, clock_began = self._clock.unix(), self._clock.monotonic()
        for event in events:
            await self._handle(event)
        self._looks = 0 if events else self._looks + 1
        if not events:
            await self._delivery.look()
        compiled = self._compile()
        if compiled is None and (self._delivery.wanted is None or self._gate.is_waiting):
            compiled = self._knowledge.compiled
        if compiled is not None and self._side is not None:
            self._side.compiled(compiled)
        if compiled is not None and not self._is_too_early(compiled):
            compiled = await self._judged(compiled)
            if compiled is not None:
                self._delivery.want(compiled.digest, compiled.resources, compiled.changed)
        self._show_certificates()
        is_new = await self._delivery.settle()
        self._note_reached()
        if is_new and self._delivery.in_force is not None:
            self._telling.came_into_force(self._delivery.in_force, began, clock_began)
        if self._telling.is_due:
            self._tell()

    def _show_certificates(self) -> None:
        """The certificates of what is in force, before the table that names their hosts."""
        tickets = self._edge.tickets(self._clock.unix())
        self._delivery.want_certificates(self._edge.wanted(self._knowledge.policies), tickets)

    async def _judged(self, compiled: Compiled) -> Compiled | None:
        """A fault of ours in judging tests must not hold back what people change: that goes on unjudged, and is said."""
        try:
            found = await self._gate.judged(compiled)
        except Exception as error:  # noqa: BLE001  (the loop is a task's root, and says so)
            if GATE not in self._own_problems:
                _log.exception("a fault of ours: route tests can not be judged")
            message = f"route tests are not judged, by a fault of meshnode: {error!r}"
            self._own_problems[GATE] = Problem(GATE, 0, "error", message)
            return self._gate.give_up()
        self._own_problems.pop(GATE, None)
        if self._gate.wants_past and (asked := self._knowledge.compiled_from) is not None:
            self._want_past(*asked, self._gate.known)
        return found

    async def _handle(self, event: Event) -> None:
        match event:
            case (
                ConsulSaid()
                | ConsulComplete()
                | ConsulReached()
                | CertificatesChanged()
                | EdgeSecretsRead()
            ):
                self._hear(event)
            case IdentityIssued():
                self._delivery.add_identity(event)
                self._learn()
            case IdentityGone(name):
                self._delivery.remove_identity(name)
            case ProxyUp():
                await self._meet(event)
            case ProxyDown():
                self._delivery.proxy_down()
            case PastKnown():
                self._gate.learn(event)
            case DrainsCounted(counts):
                self._drain_counts = counts
            case OwnProblem(subject, None):
                self._own_problems.pop(subject, None)
            case OwnProblem(subject, problem) if problem is not None:
                self._own_problems[subject] = problem

    def _hear(
        self,
        event: ConsulSaid | ConsulComplete | ConsulReached | CertificatesChanged | EdgeSecretsRead,
    ) -> None:
        match event:
            case ConsulSaid(update):
                self._knowledge.apply(update)
                if self._side is not None:
                    self._side.said(update)
            case ConsulComplete():
                self._knowledge.completed()
            case ConsulReached(side):
                self._side = side
            case EdgeSecretsRead(secrets):
                self._edge.secrets = secrets
        self._learn()

    async def _meet(self, event: ProxyUp) -> None:
        """What the first proxy has in force already may be newer than the disk's copy: compiling starts from it."""
        await self._delivery.proxy_up(event.proxy, is_first=self._is_first_proxy)
        if self._is_first_proxy and self._delivery.wanted is not None:
            self._knowledge.prime(self._delivery.wanted)
            self._show_certificates()
            if await self._delivery.settle() or self._delivery.in_force is not None:
                self._telling.in_force_again()
        self._is_first_proxy = False
        self.first_proxy.set()

    def _learn(self) -> None:
        if self._side is not None:
            secrets = self._edge.secrets
            self._knowledge.learn(
                replace(
                    self._side.facts(),
                    file_hosts=frozenset(secrets.files),
                    tls_judge=CertificateJudge(secrets),
                )
            )

    def _compile(self) -> Compiled | None:
        """A fault of ours in compiling must end neither the certificates nor the status: what is in force stays."""
        try:
            compiled = self._knowledge.compile()
        except Exception as error:  # noqa: BLE001  (the loop is a task's root, and says so)
            if COMPILER not in self._own_problems:
                _log.exception("a fault of ours: what Consul holds can not be compiled")
            message = f"what Consul holds can not be compiled, by a fault of meshnode: {error!r}"
            self._own_problems[COMPILER] = Problem(COMPILER, 0, "error", message)
            return None
        if compiled is not None:
            self._own_problems.pop(COMPILER, None)
        return compiled

    def _is_too_early(self, compiled: Compiled) -> bool:
        """Whether routes of the very first table still wait for their services to be looked up, and would answer 404.

        Later a route that waits keeps its last form, and nothing is held back for it.
        """
        if self._delivery.wanted is not None or not compiled.pending:
            return False
        now = self._clock.monotonic()
        if self._first_compiled is None:
            self._first_compiled = now
        return now < self._first_compiled + FIRST_PATIENCE_S

    def _timeout_s(self) -> float | None:
        """How long to wait for an event before telling or looking again; None: for as long as it takes."""
        if self._telling.is_waiting:
            return self._telling.wait_s
        if self._delivery.proxy is None:
            return None
        if self._delivery.wanted is None and self._knowledge.compiled is not None:
            return FIRST_PATIENCE_S
        if not self._delivery.is_settled or self._gate.is_waiting:
            return RETRY_S
        if any(one.state != "open" for one in self._delivery.listeners):
            return min(LOOK_S * (1 << min(self._looks, 8)), LOOK_MAX_S)
        return None

    def _note_reached(self) -> None:
        if self._delivery.has_wanted and not self._gate.is_waiting:
            self._telling.note_reached()

    def _tell(self) -> None:
        own = tuple(self._own_problems.values())
        self._telling.tell(self._side, own, self._drain_counts)
