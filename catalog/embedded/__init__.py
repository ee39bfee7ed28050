"""A registry that speaks the part of Consul's HTTP API a mesh on one machine needs, kept in one file.

A room of its own inside `catalog`: the agent never loads it, and nothing here imports what talks to Consul.
"""

from .errors import RegistryError
from .registry import Registry

__all__ = ["Registry", "RegistryError"]
