"""The last line of a run names what misses its goal, and says what was not run."""

import re
from pathlib import Path

from benchmarks.figures import Figure, rows
from benchmarks.goals import CAUSES, GOALS, Goal, last_line, missed
from benchmarks.scenarios import SCENARIOS

LIMITS = (
    Goal("plain", "µs", 1.0, ("nginx", "HAProxy")),
    Goal("plain", "µs", 0.35, ("Envoy",)),
    Goal("idle", "KiB", 4.0),
)


def figure(scenario: str, measure: str, subject: str, value: float) -> Figure:
    return Figure(scenario, measure, subject, (value,))


def test_a_goal_is_a_share_of_the_best_peer_or_a_bound() -> None:
    table = rows(
        [
            figure("plain", "µs", "meshnode", 16.0),
            figure("plain", "µs", "nginx", 16.4),
            figure("plain", "µs", "HAProxy", 15.0),
            figure("plain", "µs", "Envoy", 47.0),
            figure("idle", "KiB", "meshnode", 4.5),
        ]
    )
    assert missed(table, LIMITS) == (
        "plain: µs 1.07 of the best of nginx, HAProxy (goal 1)",
        "idle: KiB 4.5 (goal 4)",
    )


def test_what_just_reaches_its_goal_does_not_miss_it() -> None:
    assert missed(rows([figure("idle", "KiB", "meshnode", 4.0)]), LIMITS) == ()


def test_what_was_not_measured_misses_nothing_but_is_named() -> None:
    assert missed([], LIMITS) == ()
    assert last_line([], ["plain"], ["plain", "hop"]) == (
        "no scenario misses its goal (not run: hop)"
    )
    assert last_line([], ["plain", "hop"], ["plain", "hop"]) == "no scenario misses its goal"


def test_the_last_line_names_the_misses() -> None:
    table = rows([figure("idle", "KiB a plain connection", "meshnode", 9.0)])
    assert last_line(table, ["idle"], ["idle"]) == (
        f"goals missed: idle: KiB a plain connection 9 (goal 2); {CAUSES}"
    )


def test_every_goal_is_one_of_a_scenario_that_is_there() -> None:
    assert {goal.scenario for goal in GOALS} <= {scenario.name for scenario in SCENARIOS}


def test_the_page_has_the_causes() -> None:
    page = (Path(__file__).parents[3] / "benchmarks" / "RESULTS.md").read_text()
    headings = re.findall(r'"([^"]+)"', CAUSES)
    assert headings
    assert all(f"\n## {heading}\n" in page for heading in headings)
