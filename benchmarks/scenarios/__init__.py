"""What is measured, a file each. The order here is the order of the table."""

from benchmarks.bench import Scenario
from benchmarks.scenarios.bulk import BULK
from benchmarks.scenarios.change import CHANGE
from benchmarks.scenarios.churn import CHURN
from benchmarks.scenarios.flat import FLAT
from benchmarks.scenarios.hop import HOP
from benchmarks.scenarios.idle import IDLE
from benchmarks.scenarios.paced import PACED
from benchmarks.scenarios.plain import PLAIN
from benchmarks.scenarios.start import START

SCENARIOS: tuple[Scenario, ...] = (PLAIN, HOP, PACED, BULK, IDLE, START, FLAT, CHANGE, CHURN)
