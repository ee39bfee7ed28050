"""What /proc says of a process tree."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.usage import Memory, cpu_ns, memory, parse_schedstat, parse_smaps, tree
from tests.support import wait_until

SMAPS = """\
55d0c0000000-7ffd00000000 ---p 00000000 00:00 0                          [rollup]
Rss:               10240 kB
Pss:                4096 kB
Pss_Dirty:          1024 kB
"""
# Starts a child of its own; both then wait for the end of their input.
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"


@pytest.fixture
def parent() -> Iterator[int]:
    """A process with a child. Both end with the test: the child's input ends with its parent's."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE) as process:
        yield process.pid
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.close()


def test_time_on_a_cpu_is_the_first_field() -> None:
    assert parse_schedstat("592221 12359 2\n") == 592_221
    assert parse_schedstat("") == 0


def test_memory_is_read_in_bytes() -> None:
    assert parse_smaps(SMAPS) == Memory(proportional=4096 * 1024, resident=10240 * 1024)
    assert parse_smaps("") == Memory(0, 0)


async def test_a_tree_is_a_process_with_its_children(parent: int) -> None:
    await wait_until(lambda: len(tree([parent])) == 2, what="the child is there")
    own, child = tree([parent])
    assert own == parent
    together = memory(tree([parent]))
    assert together.resident > memory([child]).resident > 0
    assert together.proportional <= together.resident


def test_cpu_time_never_goes_back() -> None:
    before = cpu_ns([os.getpid()])
    sum(range(2_000_000))
    assert cpu_ns([os.getpid()]) >= before > 0


def test_a_process_that_is_gone_costs_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        gone = process.pid
    assert cpu_ns([gone]) == 0
    assert memory([gone]) == Memory(0, 0)
