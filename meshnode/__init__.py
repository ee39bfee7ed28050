"""The node: the only room that knows all rooms. It wires them, talks to people and to the proxy; it decides nothing."""

from __future__ import annotations

VERSION = "0.1.0"

__all__ = ["VERSION"]
