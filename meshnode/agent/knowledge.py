"""What the agent knows from Consul, and the table that follows from it.

No I/O: updates come in, what was compiled goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from catalog import (
    Compiled,
    Compiler,
    Form,
    LastGood,
    NodeFacts,
    Policies,
    Refusal,
    Snapshot,
    Staleness,
    State,
    UnhealthyUpdate,
    Update,
    decide_policies,
)

from .ports import OutboundPorts
from .unwell import Unwell

PORT_META = "mesh-outbound-port"


@dataclass(frozen=True, slots=True)
class Clock:
    """Both clocks as one argument: `monotonic` seconds for intervals, `unix` seconds for what others read."""

    monotonic: Callable[[], float]
    unix: Callable[[], float]


class Knowledge:
    """Applies updates; `compile()` gives a table when there is a new one."""

    def __init__(
        self, clock: Clock, ports: OutboundPorts, policies: Policies | None = None
    ) -> None:
        """`policies` are those an earlier run had in force."""
        self._clock = clock
        self._saved_policies = policies or Policies()
        self._compiler = Compiler(None, self._saved_policies)
        self._state = State()
        self._policies = Policies()
        self._facts: NodeFacts | None = None
        self._is_complete = False
        self._compiled_from: tuple[State, NodeFacts] | None = None
        self.ports = ports
        self.named_ports: frozenset[str] = frozenset()
        """Local services whose outbound port somebody named: their registration, or mesh/upstreams/."""
        self._start: LastGood | None = None
        self.compiled: Compiled | None = None
        self.unwell = Unwell()
        self._not_reached = Staleness(clock.unix(), "Consul was not reached yet")
        self.staleness = self._not_reached

    @property
    def facts(self) -> NodeFacts | None:
        return self._facts

    @property
    def policies(self) -> Policies:
        """Those in force, or saved while nothing was compiled."""
        return self._saved_policies if self.compiled is None else self.compiled.last_good.policies

    @property
    def state(self) -> State:
        return self._state

    @property
    def is_complete(self) -> bool:
        """Every watch has answered once, and what a route names was looked up."""
        return self._is_complete and self.compiled is not None and not self.compiled.pending

    def prime(self, saved: Snapshot) -> None:
        """What serves already: the last good forms of keys that may be bad, or gone all at once, by now."""
        self._compiler = Compiler(saved, self._saved_policies)
        self._start = self._compiler.last_good
        self._state = State.restored(saved, self._saved_policies.entries)

    def take_start(self) -> LastGood | None:
        """What an earlier run had in force, once: ten thousand routes need not be kept twice."""
        start, self._start = self._start, None
        return start

    @property
    def intention_default(self) -> str:
        """What this node's table says: its own setting, else Consul's."""
        settings = {} if self.compiled is None else self.compiled.resources["settings"]["node"]
        return str(settings.get("intention_default", "deny"))

    def apply(self, update: Update) -> None:
        if isinstance(update, Staleness):
            self.staleness = update
        else:
            self._state = self._state.apply(update)
            if isinstance(update, UnhealthyUpdate):
                self.unwell = self.unwell.after(update.checks, self._clock.unix())

    def completed(self) -> None:
        self._is_complete = True
        if self.staleness is self._not_reached:
            self.staleness = Staleness(None)

    def learn(self, facts: NodeFacts) -> None:
        """Who this node is, and what it was told by its settings and its certificates."""
        if facts != self._facts:
            self._facts = facts

    def compile(self) -> Compiled | None:
        """What follows from all that is known; None before all of it is, and where nothing changed since."""
        if self._facts is None or not self._is_complete:
            return None
        self._assign_ports()
        facts = self._with_ports(self._facts)
        if self._compiled_from is not None:
            state, last_facts = self._compiled_from
            if last_facts == facts and (
                state is self._state or state.meaning == self._state.meaning
            ):
                return None
        self.compiled = self._compiler.compile(self._state, facts)
        self._compiled_from = (self._state, facts)
        return self.compiled

    def compile_refusing(self, refused: Mapping[str, Refusal]) -> Compiled:
        """What was compiled last once more, with what route tests refuse of it."""
        assert self._compiled_from is not None  # only what was compiled is judged
        self.compiled = self._compiler.compile(*self._compiled_from, refused)
        return self.compiled

    def adopt(self, forms: Mapping[str, Form]) -> None:
        """Last good forms from history, for keys that have none in force."""
        if forms and self._compiled_from is not None:
            self._compiler.adopt(forms)
            self.compiled = self._compiler.compile(*self._compiled_from)

    @property
    def compiles(self) -> int:
        """How often a table was compiled."""
        return self._compiler.compiles

    @property
    def compiled_from(self) -> tuple[State, NodeFacts] | None:
        """What the last table was compiled from."""
        return self._compiled_from

    def _with_ports(self, facts: NodeFacts) -> NodeFacts:
        """The object of the last time where nothing differs: to compare it costs nothing then."""
        found = replace(facts, outbound_ports=self.ports.assigned)
        if self._compiled_from is not None and self._compiled_from[1] == found:
            return self._compiled_from[1]
        return found

    def _assign_ports(self) -> None:
        self._policies = decide_policies(self._state.keys.entries, self._policies)
        local = self._state.local_services
        written = self._policies.upstreams
        asked = {name: str(one.meaning.port) for name, one in written.items() if one.meaning.port}
        named = {one.service: one.meta_value(PORT_META) or asked.get(one.service) for one in local}
        self.named_ports = frozenset(service for service, port in named.items() if port)
        taken = {int(port) for port in named.values() if port and port.isascii() and port.isdigit()}
        for name in named.keys() & written.keys():
            taken.update(written[name].meaning.destinations.values())
        self.ports = self.ports.with_services(named.keys() - self.named_ports, frozenset(taken))
