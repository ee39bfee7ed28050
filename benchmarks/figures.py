"""What was measured, as values: figures, their medians, rows with ratios. No clock, no I/O."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OURS = "meshnode"
BEFORE = "before"
# Ours, with its spans fetched.
TRACED = "traced"
# The bare wake of a blocking query on one key, and on as many keys as there are routes.
WAKE, WAKE_OF_ALL = "wake", "wake of all"
# Ours, with one route.
ONE_ROUTE = "one route"
# What is no peer: how far down one can go, and where we come from. Never the one a ratio is to.
NO_PEERS = frozenset({"relay", WAKE, WAKE_OF_ALL, BEFORE, TRACED, ONE_ROUTE})


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured of one program."""

    scenario: str
    measure: str
    """What the number is, with its unit: `CPU µs a request`."""
    subject: str
    """Whose: `meshnode`, a peer, or a floor."""
    samples: tuple[float, ...]
    """In the order of the rounds."""

    @property
    def value(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """The distance between the smallest and the largest sample, as a share of the median."""
        return (max(self.samples) - min(self.samples)) / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: one measure of one scenario, by subject in the order they were measured."""

    scenario: str
    measure: str
    figures: Mapping[str, Figure]

    @property
    def ours(self) -> float | None:
        return self.figures[OURS].value if OURS in self.figures else None

    def best(self, among: Iterable[str] | None = None) -> tuple[str, float] | None:
        """The peer with the smallest value, and that value; what is no peer is left out unless they are named."""
        names = (
            [name for name in self.figures if name != OURS and name not in NO_PEERS]
            if among is None
            else [name for name in among if name in self.figures]
        )
        return min(((name, self.figures[name].value) for name in names), key=_second, default=None)

    def ratio(self, among: Iterable[str] | None = None) -> float | None:
        """Ours as a share of the best peer's; None where one of the two was not measured."""
        best, ours = self.best(among), self.ours
        return None if best is None or ours is None or best[1] == 0 else ours / best[1]


def rows(figures: Iterable[Figure]) -> tuple[Row, ...]:
    """Figures by scenario and measure, in the order they came."""
    gathered: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in figures:
        gathered.setdefault((figure.scenario, figure.measure), {})[figure.subject] = figure
    return tuple(Row(scenario, measure, by) for (scenario, measure), by in gathered.items())


def _second(pair: tuple[str, float]) -> float:
    return pair[1]
