"""Load by wrk, as much as goes through, or by h2load, so many requests a second; and what it saw. Measures nothing of the proxy."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support import run, run_wrk

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


async def load(address: str, *, connections: int, seconds: int, scheme: str = "http") -> Load:
    """Sends requests as fast as they are answered. Raises LoadError where one was not."""
    result = await run_wrk(
        f"{scheme}://{address}/", host=HOST, connections=connections, seconds=seconds
    )
    if result.failed or not result.requests:
        raise LoadError(f"{result.failed} of {result.requests} requests failed\n{result.output}")
    return Load(
        requests=result.requests,
        per_second=result.requests_per_second,
        p50_us=parse_quantile(result.output, 50),
        p99_us=parse_quantile(result.output, 99),
    )


async def http2_load(address: str, *, connections: int, streams: int, seconds: int) -> int:
    """The same in HTTP/2 by TLS, so many streams on each connection at once: how many were answered."""
    command = (
        "h2load", "--threads", "1", "--clients", str(connections),
        "--max-concurrent-streams", str(streams), "--duration", str(seconds),
        "--connect-to", address, f"https://{HOST}/",
    )  # fmt: skip
    finished = await run(*command, timeout=seconds + 30.0)
    return parse_http2(finished.stdout)


def parse_http2(output: str) -> int:
    """h2load's counts of the time it was asked for."""
    counts = re.search(
        r"^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$",
        output,
        re.MULTILINE,
    )
    is_http2 = re.search(r"^Application protocol: h2$", output, re.MULTILINE) is not None
    if counts is None or not is_http2:
        raise LoadError(f"h2load says nothing that is understood:\n{output}")
    succeeded, *bad = (int(count) for count in counts.groups())
    if any(bad) or not succeeded:
        raise LoadError(f"requests failed\n{output}")
    return succeeded


@dataclass(frozen=True, slots=True)
class PacedLoad:
    """What each request of a paced load took, in µs, sorted."""

    times_us: tuple[int, ...]

    def quantile_us(self, percent: int) -> int:
        """The smallest time that so many of a hundred do not exceed."""
        times = self.times_us
        return times[min(len(times) * percent // 100, len(times) - 1)]


async def paced_load(
    address: str,
    *,
    connections: int,
    rate: int,
    seconds: int,
    warm_up_seconds: int,
    log: Path,
) -> PacedLoad:
    """Sends `rate` requests a second over all connections, after warming. Raises LoadError where one failed.

    `log` is where h2load tells of each request.
    """
    command = (
        "h2load", "--h1", "--threads", "1", "--clients", str(connections),
        "--rps", f"{rate / connections:g}", "--duration", str(seconds),
        "--warm-up-time", str(warm_up_seconds), "--log-file", log,
        "--connect-to", address, f"http://{HOST}/",
    )  # fmt: skip
    finished = await run(*command, timeout=seconds + warm_up_seconds + 30.0)
    return parse_paced(_text(log), finished.stdout)


def _text(path: Path) -> str:
    return path.read_text()


def parse_paced(log: str, output: str) -> PacedLoad:
    """h2load's log has a line a request: when it began, its status, what it took. `output` is for the error."""
    rows = [line.split("\t") for line in log.splitlines()]
    if not rows or any(row[1] != "200" for row in rows):
        raise LoadError(f"requests failed\n{output}")
    return PacedLoad(tuple(sorted(int(row[2]) for row in rows)))


def parse_quantile(output: str, percent: int) -> float:
    """A line of wrk's latency distribution, in µs."""
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m) *$", output, re.MULTILINE)
    if found is None:
        raise LoadError(f"wrk shows no {percent}% line:\n{output}")
    return float(found[1]) * _MICROSECONDS[found[2]]
