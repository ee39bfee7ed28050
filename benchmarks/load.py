"""Load by wrk, on a few kept connections, and what it saw. Measures nothing of the proxy."""

import re
from dataclasses import dataclass

from tests.support import run_wrk

_MICROSECONDS = {"us": 1.0, "ms": 1_000.0, "s": 1_000_000.0, "m": 60_000_000.0}
HOST = "bench.test"
"""What every request asks for: a mesh needs a name, the peers take any."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    per_second: float
    p50_us: float
    p99_us: float


class LoadError(Exception):
    """Requests failed: what was measured is worth nothing."""


async def load(address: str, *, connections: int, seconds: int) -> Load:
    """Sends requests as fast as they are answered. Raises LoadError where one was not."""
    result = await run_wrk(
        f"http://{address}/", host=HOST, connections=connections, seconds=seconds
    )
    if result.failed or not result.requests:
        raise LoadError(f"{result.failed} of {result.requests} requests failed\n{result.output}")
    return Load(
        requests=result.requests,
        per_second=result.requests_per_second,
        p50_us=parse_quantile(result.output, 50),
        p99_us=parse_quantile(result.output, 99),
    )


def parse_quantile(output: str, percent: int) -> float:
    """A line of wrk's latency distribution, in µs."""
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m) *$", output, re.MULTILINE)
    if found is None:
        raise LoadError(f"wrk shows no {percent}% line:\n{output}")
    return float(found[1]) * _MICROSECONDS[found[2]]
