"""The admin API: this node as its own machine may see it. Reads only; nothing is changed through it."""

from .client import AdminClient, NodeTraces
from .server import AdminServer

__all__ = ["AdminClient", "AdminServer", "NodeTraces"]
