"""What a compiler remembers of its last run, to save work only: an empty one gives the same results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, cast

from .callers import CallerBook
from .findings import FindingsBook
from .forms import Form, FormBook
from .passthrough import PassedBook
from .policed import Sending
from .ports import PortBook
from .reached import Reached
from .resource import Rendered, Resource, render
from .shadows import ShadowBook
from .suggestions import Suggestions
from .table import Table

_T = TypeVar("_T")


class Memo:
    """Results by section and name, each with the inputs it was made of."""

    def __init__(self) -> None:
        self.table = Table()
        self.reached = Reached()
        self.sending: Sending | None = None
        """By which the routes in the table were made; None: there are none."""
        self.calls: frozenset[str] = frozenset()
        """The routes in the table that stand in no key of their own."""
        self.forms = FormBook({})
        self.shadows = ShadowBook()
        self.ports = PortBook()
        self.passed = PassedBook()
        self.findings = FindingsBook()
        self.callers = CallerBook()
        self.suggestions = Suggestions()
        """What policies may have meant by services that do not exist."""
        self._made: dict[str, dict[str, tuple[tuple[Any, ...], Any]]] = {}
        self._rendered: dict[str, dict[str, Rendered]] = {}

    def forms_since(self, last: Mapping[str, Form]) -> FormBook:
        """The forms that were decided, where `last` are what they came to; else those of a new beginning."""
        if self.forms.forms.in_force is not last:
            self.forms = FormBook(last)
            self.shadows, self.findings = ShadowBook(), FindingsBook()
            self.ports, self.passed = PortBook(), PassedBook()
            self.callers = CallerBook()
            self.table.replace("routes", [])
        return self.forms

    def once(self, section: str, name: str, inputs: tuple[Any, ...], make: Callable[[], _T]) -> _T:
        """The last result of this section and name when its inputs are equal, else a new one."""
        section_made = self._made.setdefault(section, {})
        known = section_made.get(name)
        # Comparing tuples looks at identity first, so that unchanged parts of a state cost nothing.
        if known is not None and known[0] == inputs:
            # These very objects come again; equal ones of before would be compared through each time.
            section_made[name] = (inputs, known[1])
            return cast("_T", known[1])
        made = make()
        section_made[name] = (inputs, made)
        return made

    def render(self, collection: str, name: str, resource: Resource) -> Rendered:
        """The resource rendered; the same object as last time when it is equal."""
        rendered_before = self._rendered.setdefault(collection, {})
        known = rendered_before.get(name)
        if known is not None and known.resource == resource:
            return known
        rendered = rendered_before[name] = render(name, resource)
        return rendered

    def keep(self, section: str, names: Collection[str]) -> None:
        """Drops what was made under other names, so that the memo never outgrows the snapshot."""
        for made in (self._made.get(section, {}), self._rendered.get(section, {})):
            if len(made) > len(names):
                for stale in made.keys() - set(names):
                    del made[stale]
