"""The agent's side of the boundary to meshnode-proxy: start, adopt, watch, tell and ask it (docs/boundary.md)."""

from .collector import SpanCollector
from .connector import Peer, listening_peer
from .control import ControlClient
from .documents import PROTOCOL, InForce, Listener, ProxyVersion, SpanBatch
from .process import Command, ProxyProcess, find_binary
from .stop import stop_proxy, stop_unused_proxy
from .supervisor import RunningProxy, Supervisor

__all__ = [
    "PROTOCOL",
    "Command",
    "ControlClient",
    "InForce",
    "Listener",
    "Peer",
    "ProxyProcess",
    "ProxyVersion",
    "RunningProxy",
    "SpanBatch",
    "SpanCollector",
    "Supervisor",
    "find_binary",
    "listening_peer",
    "stop_proxy",
    "stop_unused_proxy",
]
