"""Consul: what it holds, watched and compiled into a snapshot."""

from .client import ConsulClient
from .errors import CatalogError, ConsulAnswerError, ConsulDenied, ConsulUnreachable
from .facts import AgentSelf, SessionInfo
from .transport import Cost

__all__ = [
    "AgentSelf",
    "CatalogError",
    "ConsulAnswerError",
    "ConsulClient",
    "ConsulDenied",
    "ConsulUnreachable",
    "Cost",
    "SessionInfo",
]
