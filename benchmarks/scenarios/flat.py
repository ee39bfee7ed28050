"""What a request costs the proxy by the number of routes: instructions to read its head and to decide, by callgrind.

Whatever else runs on the machine, they are the same each time. Of two numbers of requests the difference counts, so
that making the table is left out. What the table costs beyond that are misses of the processor's caches, not seen here.
"""

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import ONE_ROUTE, OURS, Figure
from benchmarks.instructions import a_call

PROGRAM = "decide_bench"
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
    return await a_call(PROGRAM, ("flat", str(shape), str(routes)), REQUESTS)


FLAT = Scenario("flat", f"instructions a request with {ROUTES:,} routes, beside one", _run)
