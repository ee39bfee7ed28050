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
from pathlib import Path

from benchmarks import certificates, cores
from benchmarks.bench import Bench
from benchmarks.load import load
from benchmarks.origin import Origin
from benchmarks.peers.subject import Subject
from benchmarks.scenarios import hop, plain
from benchmarks.scenarios.requests import CONNECTIONS, WARM_UP_SECONDS
from tests.support import Process, no_leftovers, program_path, run

SETUPS = {"plain": plain.SETUPS, "hop": hop.SETUPS}
# A prime number of samples a second, so that nothing periodic is hit each time.
FREQUENCY = 1999
SECONDS = 5
# Functions below this share of the time are left out.
LEAST_PERCENT = 0.8
# System calls that are rarer than this a request are left out.
RAREST = 0.01
ATTACH_SECONDS = 2.0
TRACEPOINTS = "syscalls:sys_enter_"


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
    async with Origin(bench.site(scenario, "origin", "").folder) as origin:
        site = bench.site(scenario, name, origin.address)
        async with SETUPS[scenario][name](site) as subject:
            await load(subject.address, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
            functions = await _functions(subject, bench.folder)
            calls = await _system_calls(subject, bench.folder)
    lines = [f"{count:8.2f}  {call}" for call, count in calls.items()]
    return f"{functions}\nsystem calls a request\n" + "\n".join(lines) + "\n"


async def _functions(subject: Subject, folder: Path) -> str:
    """Perf's report: share of the time by object, then by function."""
    data = folder / "perf.data"
    pids = ",".join(str(pid) for pid in subject.pids())
    # Virtual machines often have no hardware counters; the CPU's clock is everywhere.
    record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-p", pids]
    loading = asyncio.create_task(
        load(subject.address, connections=CONNECTIONS, seconds=SECONDS + 1)
    )
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


async def _system_calls(subject: Subject, folder: Path) -> dict[str, float]:
    """How often a request each is made, the most frequent first. Counted in the kernel, so that the pace stays."""
    counts = folder / "calls.csv"
    pids = ",".join(str(pid) for pid in subject.pids())
    stat = ["perf", "stat", "-x", ",", "-e", f"{TRACEPOINTS}*", "-p", pids, "-o", str(counts)]
    counting = Process("perf", stat, folder=folder)
    with counting:
        # It opens some hundred counters and says nothing; the load is long enough for what it may miss of its begin.
        await asyncio.sleep(ATTACH_SECONDS)
        seen = await load(subject.address, connections=CONNECTIONS, seconds=SECONDS)
        counting.signal(signal.SIGINT)
        await counting.wait()
    return parse_counts(counts.read_text(), seen.requests)


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
