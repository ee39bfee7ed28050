"""`make counts`: instructions of the codec, the router, deciding and HTTP/2, compared with those that stand in counts.json.

`python -m benchmarks.counts [--record]`. Ends with 1 where something takes more than it did; what takes less is told,
and becomes the measure with --record (`make counts RECORD=1`), in the commit that changed it.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.instructions import a_call

BASELINE = Path(__file__).parent / "counts.json"
# On one machine they repeat to one in a thousand. On another libc takes memory functions for another processor, and of
# a table's lookups some more or fewer meet (its hashing has a seed of its own).
TOLERANCE = 0.02
# Another compiler makes other code of the same lines; worse than this would be worth a look all the same.
OTHER_COMPILER_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is counted: an example, its arguments, and two numbers of calls."""

    program: str
    arguments: tuple[str, ...]
    calls: tuple[int, int]


HEADS = (2_000, 12_000)
DECISIONS = (1_000, 3_000)
STREAMS = (500, 2_000)
CASES: Mapping[str, Case] = {
    "codec: a short request's head": Case("http1_bench", ("count", "wrk"), HEADS),
    "codec: a browser's request's head": Case("http1_bench", ("count", "browser"), HEADS),
    "codec: an answer's head": Case("http1_bench", ("count", "answer"), HEADS),
    "codec: 16 chunks of 1 KiB": Case("http1_bench", ("count", "chunks"), HEADS),
    "translation: a request, an answer": Case("http2_bench", ("small",), STREAMS),
    "translation: 8 KiB of chunks, twice": Case("http2_bench", ("chunks",), STREAMS),
    "decide: one route": Case("decide_bench", ("flat", "0", "1"), DECISIONS),
    "router: 10,000 hosts": Case("decide_bench", ("flat", "0", "10000"), DECISIONS),
    "router: 10,000 paths of one host": Case("decide_bench", ("flat", "1", "10000"), DECISIONS),
    "router: 10,000 wildcards": Case("decide_bench", ("flat", "2", "10000"), DECISIONS),
}


def judged(
    counted: Mapping[str, float], before: Mapping[str, float], tolerance: float
) -> tuple[list[str], bool]:
    """A line for each case, and whether none takes more than it may."""
    lines = []
    is_good = True
    for name, now in counted.items():
        last = before.get(name)
        if last is None:
            lines.append(f"{name:36} {now:9,.0f}   new: record it")
            is_good = False
            continue
        verdict = ""
        if now > last * (1 + tolerance):
            verdict, is_good = f"   MORE than {tolerance:.0%} over", False
        elif now < last * (1 - tolerance):
            verdict = "   less: record it"
        lines.append(f"{name:36} {now:9,.0f} {last:9,.0f} {now / last:6.3f}{verdict}")
    return lines, is_good


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counts")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    counted = asyncio.run(_counted())
    compiler = _compiler()
    if options.record:
        document = {
            "compiler": compiler,
            "instructions": {name: round(count) for name, count in counted.items()},
        }
        BASELINE.write_text(json.dumps(document, indent=1) + "\n")
        return
    recorded = json.loads(BASELINE.read_text())
    is_same = recorded["compiler"] == compiler
    tolerance = TOLERANCE if is_same else OTHER_COMPILER_TOLERANCE
    lines, is_good = judged(counted, recorded["instructions"], tolerance)
    sys.stdout.write("instructions a call, now and as recorded\n" + "\n".join(lines) + "\n")
    if not is_same:
        sys.stdout.write(f"recorded with {recorded['compiler']}, counted with {compiler}\n")
    if not is_good:
        sys.exit("more instructions than recorded: where it is meant, make counts RECORD=1")


async def _counted() -> dict[str, float]:
    return {
        name: await a_call(case.program, case.arguments, case.calls) for name, case in CASES.items()
    }


def _compiler() -> str:
    command = ("rustc", "--version")
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
