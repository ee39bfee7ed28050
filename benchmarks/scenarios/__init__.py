"""What is measured, a file each. The order here is the order of the table."""

from benchmarks.bench import Scenario
from benchmarks.scenarios.bulk import BULK
from benchmarks.scenarios.change import CHANGE
from benchmarks.scenarios.churn import CHURN
from benchmarks.scenarios.flat import FLAT
from benchmarks.scenarios.floods import FLOODS_SCENARIO
from benchmarks.scenarios.handshakes import HANDSHAKES
from benchmarks.scenarios.hop import HOP
from benchmarks.scenarios.http2 import HTTP2
from benchmarks.scenarios.idle import IDLE
from benchmarks.scenarios.idle_tls import IDLE_TLS
from benchmarks.scenarios.paced import PACED
from benchmarks.scenarios.plain import PLAIN
from benchmarks.scenarios.start import START
from benchmarks.scenarios.tls import TLS

SCENARIOS: tuple[Scenario, ...] = (
    PLAIN,
    TLS,
    HANDSHAKES,
    HTTP2,
    HOP,
    PACED,
    BULK,
    IDLE,
    IDLE_TLS,
    FLOODS_SCENARIO,
    START,
    FLAT,
    CHANGE,
    CHURN,
)
