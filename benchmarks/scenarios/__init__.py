"""What is measured, a file each. The order here is the order of the table."""

from benchmarks.bench import Scenario
from benchmarks.scenarios.hop import HOP
from benchmarks.scenarios.plain import PLAIN

SCENARIOS: tuple[Scenario, ...] = (PLAIN, HOP)
