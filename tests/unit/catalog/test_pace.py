from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog.pace import BURST, CHURN_SPACING_S, SPACING_S, Pace


def wakes(pace: Pace, first_at: float, answer_s: float, count: int) -> list[float]:
    """The times of `count` answers to a source that always has something new after `answer_s`."""
    now, times = first_at, []
    for _ in range(count):
        now += answer_s
        times.append(now)
        now += pace.woken(now, answer_s)
    return times


def test_the_first_changes_of_a_quiet_minute_wait_for_nothing() -> None:
    pace = Pace()
    assert pace.woken(100.0, 60.0) == 0.0
    assert pace.woken(100.001, 0.001) > 0.0  # the second went through too; the third has to wait


def test_a_burst_is_gathered_behind_the_second_change() -> None:
    times = wakes(Pace(), 0.0, 0.001, 5)
    assert times[1] - times[0] < 0.01
    assert all(later - earlier >= SPACING_S for earlier, later in pairwise(times[1:]))


def test_changes_a_person_makes_by_hand_never_wait() -> None:
    pace = Pace()
    assert [pace.woken(at * 0.2, 0.2) for at in range(1, 40)] == [0.0] * 39


def test_churn_is_slowed_to_two_answers_a_second() -> None:
    pace = Pace()
    times = wakes(pace, 0.0, 0.02, 40)
    assert pace.is_churn
    assert all(later - earlier >= CHURN_SPACING_S for earlier, later in pairwise(times[-10:]))


def test_a_moment_of_quiet_ends_the_churn() -> None:
    pace = Pace()
    last = wakes(pace, 0.0, 0.02, 40)[-1]
    assert pace.woken(last + 2.0, 1.5) == 0.0
    assert not pace.is_churn


@given(st.lists(st.floats(min_value=0.0, max_value=5.0), min_size=3, max_size=60))
def test_no_more_than_the_burst_comes_faster_than_the_spacing(gaps: list[float]) -> None:
    pace, now, times = Pace(), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        now += pace.woken(now, gap)
    for start in range(len(times) - BURST):
        assert times[start + BURST] - times[start] >= SPACING_S - 1e-9
