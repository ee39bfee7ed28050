"""How long an answer takes through a hop that has time: 2,000 requests a second on 64 kept connections, by h2load."""

from collections import defaultdict
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario
from benchmarks.figures import Figure
from benchmarks.load import paced_load
from benchmarks.origin import Origin
from benchmarks.scenarios import hop

# Envoy's HTTP/1.1 is nobody's choice between two of them, and two relays say nothing of a hop that has time.
SETUPS = {name: setup for name, setup in hop.SETUPS.items() if name not in ("Envoy", "relay")}
CONNECTIONS = 64
RATE = 2_000
SECONDS = 2
WARM_UP_SECONDS = 1
MEASURES = (("p50, ms", 50), ("p99, ms", 99))


async def _run(bench: Bench) -> list[Figure]:
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        origin = await stack.enter_async_context(Origin(bench.site("paced", "origin", "").folder))
        subjects = await bench.start(stack, PACED.name, SETUPS, origin.address)
        for number in range(bench.rounds):
            for name, subject in subjects.items():
                log = bench.folder / f"paced-{number}-{name.replace(' ', '-')}.log"
                seen = await paced_load(
                    subject.address,
                    connections=CONNECTIONS,
                    rate=RATE,
                    seconds=SECONDS,
                    warm_up_seconds=WARM_UP_SECONDS,
                    log=log,
                )
                told = []
                for measure, percent in MEASURES:
                    samples[measure, name].append(seen.quantile_us(percent) / 1000)
                    told.append(f"{measure} {samples[measure, name][-1]:.2f}")
                bench.tell(f"  paced {number + 1}/{bench.rounds} {name:12} {', '.join(told)}")
    return [
        Figure(PACED.name, measure, subject, tuple(values))
        for (measure, subject), values in samples.items()
    ]


PACED = Scenario("paced", f"the hop at {RATE:,} requests a second: what an answer takes", _run)
