"""What a request costs the proxy by the number of routes: instructions to read its head and to decide, by callgrind.

Whatever else runs on the machine, they are the same each time. Of two numbers of requests the difference counts, so
that making the table is left out. What the table costs beyond that are misses of the processor's caches, not seen here.
"""

import re

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import ONE_ROUTE, OURS, Figure
from benchmarks.peers.subject import EXAMPLES, require
from tests.support import ProcessError, run

PROGRAM = EXAMPLES / "decide_bench"
# By the numbers that program gives them.
SHAPES = ("each on a host of its own", "all on one host", "each on a wildcard")
ROUTES = 10_000
# Enough that one more instruction of some request is seen, and seconds under callgrind.
REQUESTS = (2_000, 6_000)


async def _run(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    for shape, name in enumerate(SHAPES):
        measure = f"{ROUTES:,} routes {name}, instructions"
        for subject, routes in ((OURS, ROUTES), (ONE_ROUTE, 1)):
            counted = await _a_request(shape, routes)
            bench.tell(f"  flat {measure:60} {subject:10} {counted:6.0f}")
            figures.append(Figure("flat", measure, subject, (counted,)))
    return figures


async def _a_request(shape: int, routes: int) -> float:
    fewer, more = [await _instructions(shape, routes, requests) for requests in REQUESTS]
    return (more - fewer) / (REQUESTS[1] - REQUESTS[0])


async def _instructions(shape: int, routes: int, requests: int) -> int:
    program = require(PROGRAM, "run make bench")
    arguments = ("flat", str(shape), str(routes), str(requests))
    options = ("--tool=callgrind", "--callgrind-out-file=/dev/null")
    finished = await run("valgrind", *options, program, *arguments)
    found = re.search(r"Collected : (\d+)", finished.stderr)
    if found is None:
        raise ProcessError(f"callgrind counted nothing:\n{finished.stderr}")
    return int(found[1])


FLAT = Scenario("flat", f"instructions a request with {ROUTES:,} routes, beside one", _run)
