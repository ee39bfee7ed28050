"""What perf prints is understood."""

import pytest

from benchmarks.profile import parse_counts, parse_line

COUNTS = """\
# started on Mon Nov 23 22:59:05 2026

<not counted>,,syscalls:sys_enter_iopl,0,100.00,,
100100,,syscalls:sys_enter_writev,5000000,100.00,,
200000,,syscalls:sys_enter_recvfrom,5000000,100.00,,
40,,syscalls:sys_enter_brk,5000000,100.00,,
"""


def test_calls_are_counted_a_request_and_the_most_frequent_come_first() -> None:
    counts = parse_counts(COUNTS, 50_000)
    assert list(counts) == ["recvfrom", "writev"]
    assert counts["recvfrom"] == pytest.approx(4.0)
    assert counts["writev"] == pytest.approx(2.002)


def test_a_line_of_perf_loses_its_empty_columns() -> None:
    line = "     7.75%  [kernel.kallsyms]  [k] tcp_ack               -      -            "
    assert parse_line(line) == "     7.75%  [kernel.kallsyms]  [k] tcp_ack"
