"""Go's durations, read and printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.embedded.durations import SECOND_NS, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("10s", 10 * SECOND_NS),
        ("1m30s", 90 * SECOND_NS),
        ("1.5h", 5400 * SECOND_NS),
        (".5s", SECOND_NS // 2),
        ("1.s", SECOND_NS),
        ("-2s", -2 * SECOND_NS),
        ("+2s", 2 * SECOND_NS),
        ("300ms", 300_000_000),
        ("7µs", 7000),
        ("9ns", 9),
    ],
)
def test_durations_are_read(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", 'time: invalid duration ""'),
        ("x", 'time: invalid duration "x"'),
        ("5", 'time: missing unit in duration "5"'),
        ("5x", 'time: unknown unit "x" in duration "5x"'),
        (".s", 'time: invalid duration ".s"'),
        ("9999999999h", 'time: invalid duration "9999999999h"'),
    ],
)
def test_what_is_no_duration_is_refused_as_go_does(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"^time: ") as refused:
        parse_duration(text)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (200_000_000, "200ms"),
        (SECOND_NS * 3 // 2, "1.5s"),
        (90 * SECOND_NS, "1m30s"),
        (24 * 3600 * SECOND_NS, "24h0m0s"),
        (-SECOND_NS, "-1s"),
    ],
)
def test_durations_are_printed(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


@given(st.integers(-(2**62), 2**62))
def test_what_is_printed_is_read_back(nanoseconds: int) -> None:
    assert parse_duration(format_duration(nanoseconds)) == nanoseconds
