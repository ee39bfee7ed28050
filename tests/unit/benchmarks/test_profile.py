"""What perf and strace print is understood."""

import pytest

from benchmarks.profile import parse_counts, parse_line

COUNTS = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 61.20    0.912345           9    100100           writev
 38.30    0.570001           3    200000     51000 recvfrom
  0.50    0.000100           1        40           brk
------ ----------- ----------- --------- --------- ----------------
100.00    1.482446           4    300140     51000 total
"""


def test_calls_are_counted_a_request_and_the_most_frequent_come_first() -> None:
    counts = parse_counts(COUNTS, 50_000)
    assert list(counts) == ["recvfrom", "writev"]
    assert counts["recvfrom"] == pytest.approx(4.0)
    assert counts["writev"] == pytest.approx(2.002)


def test_a_line_of_perf_loses_its_empty_columns() -> None:
    line = "     7.75%  [kernel.kallsyms]  [k] tcp_ack               -      -            "
    assert parse_line(line) == "     7.75%  [kernel.kallsyms]  [k] tcp_ack"
