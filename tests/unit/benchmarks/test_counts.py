"""What takes more instructions than recorded fails, what takes less is told."""

import json

from benchmarks.counts import BASELINE, CASES, TOLERANCE, judged


def test_more_than_the_tolerance_fails() -> None:
    lines, is_good = judged({"a": 1021.0, "b": 1019.0}, {"a": 1000, "b": 1000}, 0.02)
    assert not is_good
    assert "MORE" in lines[0]
    assert "MORE" not in lines[1]


def test_less_is_told_and_is_good() -> None:
    lines, is_good = judged({"a": 900.0}, {"a": 1000}, 0.02)
    assert is_good
    assert "record it" in lines[0]


def test_a_case_nobody_recorded_fails() -> None:
    assert not judged({"a": 1.0}, {}, TOLERANCE)[1]


def test_every_case_is_recorded() -> None:
    assert json.loads(BASELINE.read_text())["instructions"].keys() == CASES.keys()
