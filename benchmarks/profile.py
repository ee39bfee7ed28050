"""What dominates in one program of one scenario: its functions, its system calls a request.

`make bench ONLY=plain PROFILE=meshnode`. Both by perf. It says where the time goes, not how much there is of it:
what is looked at runs slower.
"""

import argparse
import asyncio
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import certificates, cores
from benchmarks.bench import Bench
from benchmarks.load import http2_load, load
from benchmarks.origin import Origin
from benchmarks.peers.subject import Subject
from benchmarks.scenarios import hop, http2, plain, tls
from benchmarks.scenarios.requests import CONNECTIONS, WARM_UP_SECONDS
from tests.support import Process, no_leftovers, program_path, run

HTTP2 = http2.HTTP2.name
SETUPS = {"plain": plain.SETUPS, "tls": tls.SETUPS, HTTP2: tls.SETUPS, "hop": hop.SETUPS}
# A prime number of samples a second, so that nothing periodic is hit each time.
FREQUENCY = 1999
SECONDS = 5
# Functions below this share of the time are left out.
LEAST_PERCENT = 0.8
# System calls that are rarer than this a request are left out.
RAREST = 0.01
ATTACH_SECONDS = 2.0
TRACEPOINTS = "syscalls:sys_enter_"

Send = Callable[[int], Coroutine[Any, Any, int]]
"""Sends a scenario's load for so many seconds; gives how many requests were answered."""


def main() -> None:
    options = _options()
    setups = SETUPS[options.scenario]
    if options.subject not in setups:
        sys.exit(
            f"{options.scenario} has no {options.subject}; there are: {', '.join(sorted(setups))}"
        )
    with (
        tempfile.TemporaryDirectory(prefix="meshnode-bench-") as name,
        no_leftovers(),
        cores.apart(),
    ):
        folder = Path(name)
        folder.chmod(0o755)
        made = certificates.create(folder)
        bench = Bench(folder, made, 1, SECONDS, options.proxy or program_path("meshnode-proxy"))
        sys.stdout.write(asyncio.run(_profile(bench, options.scenario, options.subject)))


async def _profile(bench: Bench, scenario: str, name: str) -> str:
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(Origin(bench.site(scenario, "origin", "").folder))
        setup = {name: SETUPS[scenario][name]}
        subjects = await bench.start(stack, scenario, setup, origin.address)
        send = partial(_load, scenario, subjects[name])
        await send(WARM_UP_SECONDS)
        functions = await _functions(subjects[name], send, bench.folder)
        calls = await _system_calls(subjects[name], send, bench.folder)
    lines = [f"{count:8.2f}  {call}" for call, count in calls.items()]
    return f"{functions}\nsystem calls a request\n" + "\n".join(lines) + "\n"


async def _load(scenario: str, subject: Subject, seconds: int) -> int:
    """The scenario's load for so long: how many requests were answered."""
    if scenario == HTTP2:
        return await http2_load(
            subject.address,
            connections=http2.CONNECTIONS,
            streams=http2.STREAMS,
            seconds=seconds,
        )
    seen = await load(
        subject.address, connections=CONNECTIONS, seconds=seconds, scheme=subject.scheme
    )
    return seen.requests


async def _functions(subject: Subject, send: Send, folder: Path) -> str:
    """Perf's report: share of the time by object, then by function."""
    data = folder / "perf.data"
    pids = ",".join(str(pid) for pid in subject.pids())
    # Virtual machines often have no hardware counters; the CPU's clock is everywhere.
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-p", pids]
    loading = asyncio.create_task(send(SECONDS + 1))
    await run(*record, "-o", data, "--", "sleep", str(SECONDS))
    await loading
    parts = []
    for title, keys in (("by object", "dso"), ("by function", "dso,symbol")):
        report: list[str | Path] = ["perf", "report", "--stdio", "-i", data, "--sort", keys]
        text = await run(*report, "--percent-limit", str(LEAST_PERCENT), timeout=120.0)
        kept = [parse_line(line) for line in text.stdout.splitlines() if "%" in line[:12]]
        parts.append(f"{title}\n" + "\n".join(kept) + "\n")
    return "\n".join(parts)


def parse_line(line: str) -> str:
    """A line of perf's report without the columns of symbol addresses that nobody recorded."""
    return re.sub(r"(\s+-)+\s*$", "", line).rstrip()


async def _system_calls(subject: Subject, send: Send, folder: Path) -> dict[str, float]:
    """How often a request each is made, the most frequent first. Counted in the kernel, so that the pace stays."""
    counts = folder / "calls.csv"
    pids = ",".join(str(pid) for pid in subject.pids())
    stat = ["perf", "stat", "-x", ",", "-e", f"{TRACEPOINTS}*", "-p", pids, "-o", str(counts)]
    counting = Process("perf", stat, folder=folder)
    with counting:
        # It opens some hundred counters and says nothing; the load is long enough for what it may miss of its begin.
        await asyncio.sleep(ATTACH_SECONDS)
        requests = await send(SECONDS)
        counting.signal(signal.SIGINT)
        await counting.wait()
    return parse_counts(counts.read_text(), requests)


def parse_counts(text: str, requests: int) -> dict[str, float]:
    """`perf stat -x,` by calls a request; what is rarer than one in a hundred requests is left out."""
    found = re.findall(rf"^(\d+),[^,]*,{TRACEPOINTS}(\w+),", text, re.MULTILINE)
    rates = ((name, int(calls) / requests) for calls, name in found)
    return dict(sorted((pair for pair in rates if pair[1] >= RAREST), key=_rate, reverse=True))


def _rate(pair: tuple[str, float]) -> float:
    return pair[1]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.profile", description=__doc__)
    parser.add_argument("scenario", choices=sorted(SETUPS))
    parser.add_argument("subject", help="a program of that scenario, as the table names it")
    parser.add_argument("--proxy", type=Path, help="another meshnode-proxy than the one built")
    return parser.parse_args()


if __name__ == "__main__":
    main()
