"""When others are told of what came into force: a moment later, once, and nothing of it is lost."""

from dataclasses import dataclass

import pytest

from catalog import Snapshot
from meshnode.agent.delivery import Delivery
from meshnode.agent.knowledge import Clock, Knowledge
from meshnode.agent.ports import OutboundPorts
from meshnode.agent.telling import BREATH_S, Telling
from meshnode.agent.view import View

UNIX_S = 1_700_000_000.0
"""Where the monotonic clock has 0."""


@dataclass
class Time:
    passed_s: float = 0.0


class Told:
    """A Telling whose clock is the test's, and what was told."""

    def __init__(self) -> None:
        self.time = Time()
        self.applied: list[tuple[Snapshot, float, float]] = []
        self.views: list[View] = []
        clock = Clock(lambda: self.time.passed_s, lambda: UNIX_S + self.time.passed_s)
        self.telling = Telling(
            Knowledge(clock, OutboundPorts(15000, 15999, {})),
            Delivery(None),
            clock,
            port_range=(15000, 15999),
            on_applied=lambda _, table, began, took_s: self.applied.append((table, began, took_s)),
            on_view=self.views.append,
            restarts=lambda: 0,
        )

    def in_force(self, generation: int) -> Snapshot:
        table = Snapshot(generation, f"digest-{generation}", {})
        self.telling.came_into_force(table, UNIX_S, 0.0)
        return table

    def tell(self) -> None:
        self.telling.tell(None, (), {})


def test_without_a_new_table_it_is_due_at_once() -> None:
    told = Told()
    assert (told.telling.is_waiting, told.telling.is_due, told.telling.wait_s) == (False, True, 0.0)


def test_a_new_table_is_told_a_moment_after_it_came_into_force() -> None:
    told = Told()
    told.time.passed_s = 0.5
    table = told.in_force(1)
    assert (told.telling.is_waiting, told.telling.is_due) == (True, False)
    assert told.telling.wait_s == pytest.approx(BREATH_S)
    told.time.passed_s = 0.5 + BREATH_S
    assert (told.telling.is_due, told.telling.wait_s) == (True, 0.0)
    told.tell()
    assert told.applied == [(table, UNIX_S, 0.5)]
    assert [view.in_force_since for view in told.views] == [UNIX_S + 0.5]


def test_what_follows_within_that_moment_is_told_with_it_and_puts_nothing_off() -> None:
    told = Told()
    first = told.in_force(1)
    told.time.passed_s = BREATH_S / 2
    second = told.in_force(2)
    assert told.telling.wait_s == pytest.approx(BREATH_S / 2)
    told.tell()
    assert [table for table, _, _ in told.applied] == [first, second]
    assert len(told.views) == 1


def test_nothing_is_told_twice() -> None:
    told = Told()
    told.in_force(1)
    told.tell()
    told.tell()
    assert (len(told.applied), len(told.views), told.telling.is_waiting) == (1, 2, False)
