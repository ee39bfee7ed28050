"""Figures become rows, and rows know who is best."""

import pytest

from benchmarks.figures import BEFORE, OURS, WAKE, Figure, Row, rows


def row(**values: float) -> Row:
    return Row(
        "plain", "µs", {name: Figure("plain", "µs", name, (of,)) for name, of in values.items()}
    )


def test_the_value_is_the_median_of_the_rounds() -> None:
    assert Figure("plain", "µs", OURS, (9.0, 1.0, 2.0)).value == 2.0


def test_rows_come_by_scenario_and_measure_in_the_order_measured() -> None:
    figures = [
        Figure("plain", "µs", OURS, (1.0,)),
        Figure("plain", "ms", OURS, (2.0,)),
        Figure("plain", "µs", "nginx", (3.0,)),
        Figure("hop", "µs", OURS, (4.0,)),
    ]
    table = rows(figures)
    assert [(one.scenario, one.measure) for one in table] == [
        ("plain", "µs"),
        ("plain", "ms"),
        ("hop", "µs"),
    ]
    assert list(table[0].figures) == [OURS, "nginx"]


def test_the_ratio_is_to_the_best_peer() -> None:
    one = row(meshnode=12.0, nginx=16.0, HAProxy=15.0, Envoy=47.0)
    assert one.best() == ("HAProxy", 15.0)
    assert one.ratio() == pytest.approx(0.8)
    assert one.ratio(("Envoy",)) == pytest.approx(12 / 47)


def test_a_floor_and_an_older_build_are_no_peers() -> None:
    one = row(**{OURS: 12.0, "relay": 9.0, BEFORE: 11.0, WAKE: 1.0})
    assert one.best() is None
    assert one.ratio() is None
    assert one.best((WAKE,)) == (WAKE, 1.0)


def test_without_ours_there_is_no_ratio() -> None:
    assert row(nginx=16.0).ours is None
    assert row(nginx=16.0).ratio() is None
