"""Blocking queries on Consul, kept running whatever happens to it."""

from .watches import Watches

__all__ = ["Watches"]
