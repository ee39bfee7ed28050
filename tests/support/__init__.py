"""What the tests stand on: real programs on free ports, started, waited for and stopped without remnants.

This root imports no room of ours, so that what tests one room needs no other.
"""

from tests.support.capture import Capture
from tests.support.consul import ConsulAgent, ConsulCluster
from tests.support.consul_api import ConsulError, HttpAnswer
from tests.support.jaeger import Jaeger, Span, Trace
from tests.support.leftovers import descendants, kill_descendants, no_leftovers
from tests.support.load import KeepAliveLoad, LoadResult, WrkResult, run_wrk
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.process import Finished, Process, ProcessError, run, wait_until
from tests.support.servers import Answer, Called, EchoServer
from tests.support.tools import program_path, tool_path

__all__ = [
    "Answer",
    "Called",
    "Capture",
    "ConsulAgent",
    "ConsulCluster",
    "ConsulError",
    "EchoServer",
    "Finished",
    "HttpAnswer",
    "Jaeger",
    "KeepAliveLoad",
    "LoadResult",
    "Nginx",
    "Process",
    "ProcessError",
    "Span",
    "Trace",
    "WrkResult",
    "descendants",
    "free_port",
    "kill_descendants",
    "no_leftovers",
    "program_path",
    "run",
    "run_wrk",
    "tool_path",
    "wait_until",
]
