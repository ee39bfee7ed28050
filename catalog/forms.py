"""Which form of each route is in force: what its key says now, or the last good one where that cannot be.

Knows keys and routes; of services only whether they were looked at yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, KeysView, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from .keys import key_problem, route_name
from .middle import middle
from .model import KvEntry, Problem
from .resource import Rendered, render
from .routes import Route, parse_route, to_resource

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Form:
    """A route with what is made of it once: its resource, the clusters it leads to, their services."""

    route: Route
    rendered: Rendered
    targets: tuple[str, ...]
    services: tuple[str, ...]


Parsed = tuple[KvEntry, Form | Problem | None]
"""An entry and what was read from it; None: a key no one reads and no one misses."""


@dataclass(frozen=True, slots=True)
class Forms:
    """What all keys come to.

    `in_force` are the forms by key, `changed` the keys whose form is another than in the Forms before (or is gone).
    `pending` are keys whose new form waits until the services it leads to were looked at; `wanted` are the services of
    all forms, in force and pending, `routed` the clusters that the forms in force lead to, and their services.
    """

    in_force: Mapping[str, Form]
    changed: tuple[str, ...]
    problems: tuple[Problem, ...]
    pending: tuple[str, ...]
    wanted: frozenset[str]
    routed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Decision:
    """What one key comes to: the form in force, the one that waits, and what is wrong."""

    form: Form | None = None
    waiting: Form | None = None
    problem: Problem | None = None


_NOTHING = Decision()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key that may not come into force though it can be read: why, and its last good form, which goes on (None: nothing)."""

    problem: Problem
    form: Form | None = None


NONE_REFUSED: Mapping[str, Refusal] = {}


def decide(found: Form | Problem | None, last: Form | None, swept: Container[str]) -> Decision:
    """What a key comes to: `found` is what was read from it, `last` the form in force, `swept` are the services looked at."""
    if isinstance(found, Form):
        is_known = all(service in swept for service in found.services)
        return Decision(found) if is_known else Decision(last, waiting=found)
    if found is None:
        return Decision(last)
    problem = replace(found, serving_index=last.route.index) if last else found
    return Decision(last, problem=problem)


class FormBook:
    """Decides the keys that changed, and those whose services were looked at meanwhile; keeps what the others came to.

    Deciding a key once more with its own form as the last gives the same, so that nothing depends on how often a key
    was decided.
    """

    def __init__(self, last: Mapping[str, Form]) -> None:
        """`last` are the forms in force until now."""
        self.forms = Forms(last, (), (), (), frozenset(), frozenset())
        self._is_first = True
        self._entries: tuple[KvEntry, ...] = ()
        self._swept: Collection[str] = ()
        self._refused = NONE_REFUSED
        self._parsed: dict[str, Parsed] = {}
        self._decisions: dict[str, Decision] = {}
        self._in_force: dict[str, Form] = {}
        self._problems: dict[str, Problem] = {}
        self._wanted: Counter[str] = Counter()
        self._leading: dict[str, set[str]] = {}
        """Cluster, or service → keys of the forms in force that lead to it."""
        self._waiting: dict[str, set[str]] = {}
        """Service → keys with a form that waits."""

    def update(
        self,
        entries: tuple[KvEntry, ...],
        swept: Mapping[str, object],
        refused: Mapping[str, Refusal] = NONE_REFUSED,
    ) -> Forms:
        """The forms of these entries, sorted by key. Services once swept stay so; `refused` are keys of these entries."""
        again, last = set(self._to_decide(entries, swept)), self.forms.in_force
        again |= self._refuse(refused)
        touched = {key for key in again if self._decide(key, last.get(key), swept)}
        if self._is_first:
            # What was in force and no key says any more.
            touched |= last.keys() - self._in_force.keys()
        if again or self._is_first:
            self.forms = self._given_out(touched)
        elif self.forms.changed:
            self.forms = replace(self.forms, changed=())
        self._entries, self._is_first = entries, False
        return self.forms

    def _refuse(self, refused: Mapping[str, Refusal]) -> set[str]:
        """The keys about which that says something else than before."""
        before, self._refused = self._refused, refused
        keys = before.keys() | refused.keys()
        return {key for key in keys if key in self._parsed and before.get(key) != refused.get(key)}

    def leading_to(self, name: str) -> Collection[str]:
        """The keys whose forms in force lead to a cluster or its service; changes with the next update."""
        return self._leading.get(name, ())

    def _to_decide(
        self, entries: tuple[KvEntry, ...], swept: Mapping[str, object]
    ) -> Collection[str]:
        """The keys that are to be decided, with what was read from them."""
        again: set[str] = set()
        if swept is not self._swept:
            for service in swept.keys() - set(self._swept):
                again |= self._waiting.get(service, set())
            self._swept = swept
        found = middle(self._entries, entries)
        if found.is_empty:
            return again
        come = entries[found.start : found.new_end]
        gone = {entry.key for entry in self._entries[found.start : found.old_end]}
        gone.difference_update(entry.key for entry in come)
        for key in gone:
            self._parsed.pop(key)
        for entry in come:
            known = self._parsed.get(entry.key)
            if known is None or not (known[0] is entry or _is_same(known[0], entry)):
                self._parsed[entry.key] = (entry, _read(entry))
                again.add(entry.key)
        return again | gone

    def _decide(self, key: str, last: Form | None, swept: Container[str]) -> bool:
        """Whether the form in force is another now."""
        known = self._parsed.get(key)
        refusal = self._refused.get(key)
        if known is None:
            new = _NOTHING
        elif refusal is not None:
            new = Decision(refusal.form, problem=refusal.problem)
        else:
            new = decide(known[1], last, swept)
        old = self._decisions.get(key, _NOTHING)
        self._count(key, old, -1)
        self._count(key, new, 1)
        _set(self._decisions, key, None if known is None else new)
        _set(self._in_force, key, new.form)
        _set(self._problems, key, new.problem)
        return new.form is not old.form

    def _count(self, key: str, decision: Decision, by: int) -> None:
        for form in (decision.form, decision.waiting):
            for service in form.services if form else ():
                _add(self._wanted, service, by)
        for name in {*decision.form.services, *decision.form.targets} if decision.form else ():
            _note(self._leading, name, key, is_there=by > 0)
        for service in decision.waiting.services if decision.waiting else ():
            _note(self._waiting, service, key, is_there=by > 0)

    def _given_out(self, touched: Collection[str]) -> Forms:
        """A frozen copy, the same objects where nothing changed."""
        pending: set[str] = set().union(*self._waiting.values())
        return Forms(
            in_force=dict(self._in_force) if touched else self.forms.in_force,
            changed=tuple(sorted(touched)),
            problems=tuple(self._problems.values()),
            pending=tuple(sorted(pending)),
            wanted=_same(self.forms.wanted, self._wanted.keys()),
            routed=_same(self.forms.routed, self._leading.keys()),
        )


def form_of(route: Route) -> Form:
    """The form of a route."""
    rule = route.rule
    return Form(route, render(route.name, to_resource(route)), rule.targets, rule.services)


def _read(entry: KvEntry) -> Form | Problem | None:
    name = route_name(entry.key)
    if name is None:
        return key_problem(entry)
    found = parse_route(name, entry)
    return found if isinstance(found, Problem) else form_of(found)


def _is_same(left: KvEntry, right: KvEntry) -> bool:
    """The value counts too: a Consul restored from a backup counts its indexes a second time."""
    return left.modify_index == right.modify_index and left.value == right.value


def _set(mapping: dict[str, _T], key: str, value: _T | None) -> None:
    if value is None:
        mapping.pop(key, None)
    else:
        mapping[key] = value


def _add(counts: Counter[str], name: str, by: int) -> None:
    counts[name] += by
    if not counts[name]:
        del counts[name]


def _note(keys: dict[str, set[str]], name: str, key: str, *, is_there: bool) -> None:
    if is_there:
        keys.setdefault(name, set()).add(key)
        return
    left = keys[name]
    left.discard(key)
    if not left:
        del keys[name]


def _same(before: frozenset[str], now: KeysView[str]) -> frozenset[str]:
    """The object from before where nothing differs, so that what was made of it is found by identity."""
    return before if before == now else frozenset(now)
