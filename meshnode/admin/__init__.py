"""The admin API: this node as its own machine may see it. Reads only; nothing is changed through it."""

from .server import AdminServer

__all__ = ["AdminServer"]
