"""`make bench`: runs the scenarios, prints the table and, last, which of them miss their goal.

`python -m benchmarks [--only plain,hop] [--rounds 3] [--seconds 2] [--proxy PATH] [--before PATH] [--record]`.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import certificates, machine, report
from benchmarks.bench import Bench, Scenario
from benchmarks.cores import CoresError
from benchmarks.figures import Figure, rows
from benchmarks.goals import last_line
from benchmarks.load import LoadError
from benchmarks.scenarios import SCENARIOS
from tests.support import ProcessError, no_leftovers, program_path

HERE = Path(__file__).parent
LAST = HERE / "last.json"
RESULTS = HERE / "RESULTS.md"


def main() -> None:
    # Whoever ends it, programs and folder go with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    options = _options()
    chosen = _chosen(options.only)
    if options.record and len(chosen) < len(SCENARIOS):
        sys.exit("RESULTS.md has one run of all scenarios: record without naming some")
    measured_on = machine.describe()
    folder = Path(tempfile.mkdtemp(prefix="meshnode-bench-"))
    folder.chmod(0o755)
    try:
        with no_leftovers():
            bench = Bench(
                folder=folder,
                certificates=certificates.create(folder),
                rounds=options.rounds,
                seconds=options.seconds,
                proxy=options.proxy or program_path("meshnode-proxy"),
                before=options.before,
            )
            figures = asyncio.run(_run(bench, chosen))
    except KeyboardInterrupt:
        sys.exit(130)
    except (CoresError, LoadError, ProcessError) as error:
        sys.exit(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    LAST.write_text(json.dumps(report.document(figures, measured_on), indent=1) + "\n")
    table = rows(figures)
    if options.record:
        measured = f"{report.conditions(measured_on)}\n\n{report.markdown(table)}"
        RESULTS.write_text(report.recorded(RESULTS.read_text(), measured))
    names = [scenario.name for scenario in SCENARIOS]
    verdict = last_line(table, [scenario.name for scenario in chosen], names)
    sys.stdout.write(f"\n{report.terminal(table)}\n\n{verdict}\n")


async def _run(bench: Bench, scenarios: tuple[Scenario, ...]) -> list[Figure]:
    figures: list[Figure] = []
    for scenario in scenarios:
        began = time.monotonic()
        bench.tell(f"{scenario.name}: {scenario.about}")
        figures += await scenario.run(bench)
        bench.tell(f"  {time.monotonic() - began:.0f} s")
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--only", default="", help="scenarios, by comma: " + ", ".join(s.name for s in SCENARIOS)
    )
    parser.add_argument("--rounds", type=int, default=3, help="medians are of so many (3)")
    parser.add_argument(
        "--seconds", type=int, default=2, help="of load a round for each program (2)"
    )
    parser.add_argument(
        "--proxy", type=_program, help="the meshnode-proxy to measure (the one that make built)"
    )
    parser.add_argument("--before", type=_program, help="another build, measured beside it")
    parser.add_argument("--record", action="store_true", help="write the table into RESULTS.md")
    return parser.parse_args()


def _chosen(only: str) -> tuple[Scenario, ...]:
    wanted = {name.strip() for name in only.split(",") if name.strip()}
    unknown = wanted - {scenario.name for scenario in SCENARIOS}
    if unknown:
        known = ", ".join(scenario.name for scenario in SCENARIOS)
        sys.exit(f"no scenario {', '.join(sorted(unknown))}; there are: {known}")
    return tuple(s for s in SCENARIOS if not wanted or s.name in wanted)


def _program(path: str) -> Path:
    if not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"{path} is no program")
    return Path(path).resolve()


if __name__ == "__main__":
    main()
